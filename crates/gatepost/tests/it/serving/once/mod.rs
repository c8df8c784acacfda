//! What a server does before it asks a database.

mod tls;
