//! TLS 1.2 and 1.3 from certificate files, read again when they change.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use crate::config::Config;

/// How often the files are looked at.
const FILES_EVERY: Duration = Duration::from_secs(2);

/// The certificate in force.
#[derive(Debug)]
pub(super) struct Certificates {
    certificate_file: PathBuf,
    private_key_file: PathBuf,
    current: Arc<Current>,
}

#[derive(Debug)]
struct Current(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

impl Certificates {
    /// Reads the configured files; none are configured: plain HTTP.
    pub(super) fn load(config: &Config) -> anyhow::Result<Option<Self>> {
        let (Some(certificate), Some(key)) = (&config.tls.certificate_file, &config.tls.private_key_file)
        else {
            return Ok(None);
        };
        let (certificate_file, private_key_file) = (config.path(certificate), config.path(key));
        let certified = read(&certificate_file, &private_key_file)?;
        let current = Arc::new(Current(ArcSwap::from_pointee(certified)));
        Ok(Some(Self { certificate_file, private_key_file, current }))
    }

    /// Takes connections with whatever certificate is in force then.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider supports TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&self.current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }

    /// Watches the files and takes in a new certificate when both fit; else the old one stays.
    pub(super) async fn follow(self: Arc<Self>) {
        let mut known = self.modified();
        let mut complained = None;
        loop {
            tokio::time::sleep(FILES_EVERY).await;
            let now = self.modified();
            if now == known {
                continue;
            }
            match read(&self.certificate_file, &self.private_key_file) {
                Ok(certified) => {
                    self.current.0.store(Arc::new(certified));
                    known = now;
                    tracing::info!("the certificate changed and is in force");
                }
                // Tried again, in case the files were being written, and said once.
                Err(error) if complained != Some(now) => {
                    complained = Some(now);
                    tracing::error!("the certificate changed and is not used: {error:#}");
                }
                Err(_) => {}
            }
        }
    }

    fn modified(&self) -> [Option<SystemTime>; 2] {
        [&self.certificate_file, &self.private_key_file]
            .map(|path| std::fs::metadata(path).and_then(|meta| meta.modified()).ok())
    }
}

fn read(certificate_file: &Path, private_key_file: &Path) -> anyhow::Result<CertifiedKey> {
    let chain: Vec<_> = CertificateDer::pem_file_iter(certificate_file)
        .and_then(Iterator::collect)
        .with_context(|| format!("certificate {}", certificate_file.display()))?;
    let key = PrivateKeyDer::from_pem_file(private_key_file)
        .with_context(|| format!("private key {}", private_key_file.display()))?;
    let key = aws_lc_rs::sign::any_supported_type(&key).context("the private key's type")?;
    let certified = CertifiedKey::new(chain, key);
    certified.keys_match().context("certificate and private key do not belong together")?;
    Ok(certified)
}
