//! A server as a process: what it takes in while it runs, and how it starts, stops and survives.

mod broken;
mod clocks;
mod crash;
mod disk;
mod drain;
mod freshness;
mod nodes;
mod replicas;
mod rolling;
mod secrecy;
mod shared_keys;
mod shutdown;
mod tls;
