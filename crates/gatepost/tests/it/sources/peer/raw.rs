//! Servers that do not get as far as HTTP: bytes on a connection.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// What such a server writes.
#[derive(Clone, Copy, Debug)]
pub(in super::super) enum Raw {
    /// A head that comes a byte at a time and does not end.
    SlowHead,
    /// A head that does not end.
    EndlessHead,
    /// Something else than HTTP.
    Noise,
    /// Nothing: the connection is closed.
    Closed,
    /// A body shorter than its length.
    ShortBody,
    /// Two lengths that differ.
    TwoLengths,
}

/// A server of one of these kinds.
pub(in super::super) struct RawPeer {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    accepted: Arc<AtomicUsize>,
}

impl RawPeer {
    pub(in super::super) fn start(kind: Raw) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stopped, accepted) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (until, count) = (Arc::clone(&stopped), Arc::clone(&accepted));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if until.load(Ordering::Relaxed) {
                    break;
                }
                count.fetch_add(1, Ordering::Relaxed);
                let until = Arc::clone(&until);
                // A caller that goes away is what most of them end with.
                std::thread::spawn(move || drop(speak(kind, stream.unwrap(), &until)));
            }
        });
        Self { address, stopped, accepted }
    }

    pub(in super::super) fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Connections so far.
    pub(in super::super) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }
}

impl Drop for RawPeer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // It waits for one more.
        let _ = TcpStream::connect(self.address);
    }
}

fn speak(kind: Raw, mut stream: TcpStream, stopped: &AtomicBool) -> std::io::Result<()> {
    let _ = stream.read(&mut [0; 4096])?;
    match kind {
        Raw::SlowHead => {
            let head = b"HTTP/1.1 200 OK\r\nX-Slow: ".iter().copied().chain(std::iter::repeat(b'x'));
            for byte in head.take_while(|_| !stopped.load(Ordering::Relaxed)) {
                stream.write_all(&[byte])?;
                std::thread::sleep(Duration::from_millis(20));
            }
            Ok(())
        }
        Raw::EndlessHead => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
            while !stopped.load(Ordering::Relaxed) {
                stream.write_all(b"X-More: and more and more and more\r\n")?;
            }
            Ok(())
        }
        Raw::Noise => stream.write_all(b"SSH-2.0-nothing\r\n\r\n"),
        Raw::Closed => Ok(()),
        Raw::ShortBody => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[{\"n\":1}]"),
        Raw::TwoLengths => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Length: 4\r\n\r\n[{\"n\":1}]")
        }
    }
}
