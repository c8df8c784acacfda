//! A server as a process: what it takes in while it runs, and how it starts, stops and survives.

mod broken;
mod clocks;
mod crash;
mod disk;
mod drain;
mod failover;
mod freshness;
mod nodes;
mod replicas;
mod rolling;
mod secrecy;
mod shutdown;
mod tls;
