//! Compresses the console's files and lists them for `console/assets.rs`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use flate2::Compression;
use flate2::write::GzEncoder;

const FOLDER: &str = "assets/console";

/// What a browser is given, by the name that pages use, and its media type.
const FILES: [(&str, &str); 11] = [
    ("app.css", "text/css; charset=utf-8"),
    ("app.js", "text/javascript; charset=utf-8"),
    ("icons.svg", "image/svg+xml"),
    ("logo.svg", "image/svg+xml"),
    ("vendor/htmx.js", "text/javascript; charset=utf-8"),
    ("vendor/editor.js", "text/javascript; charset=utf-8"),
    ("vendor/editor.css", "text/css; charset=utf-8"),
    ("vendor/chart.js", "text/javascript; charset=utf-8"),
    ("vendor/chart.css", "text/css; charset=utf-8"),
    ("vendor/inter.woff2", "font/woff2"),
    ("vendor/jetbrains-mono.woff2", "font/woff2"),
];

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={FOLDER}");
    let source = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join(FOLDER);
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let mut list = String::from("&[\n");
    let mut fingerprint = Fingerprint::default();
    for (name, media_type) in FILES {
        let path = source.join(name);
        let plain = fs::read(&path)?;
        fingerprint.add(&plain);
        let gzip = compress(&plain, &out.join(name.replace('/', "-")))?;
        let bytes = |path: &Path| format!("include_bytes!({:?})", path.to_string_lossy());
        let gzip = gzip.map_or_else(|| "None".to_owned(), |path| format!("Some({})", bytes(&path)));
        let _ = writeln!(
            list,
            "Asset {{ name: {name:?}, media_type: {media_type:?}, plain: {}, gzip: {gzip} }},",
            bytes(&path)
        );
    }
    list.push(']');
    fs::write(out.join("console_assets.rs"), list)?;
    println!("cargo::rustc-env=CONSOLE_FINGERPRINT={:016x}", fingerprint.0);
    Ok(())
}

/// Writes the file compressed, when that makes it smaller.
fn compress(plain: &[u8], path: &Path) -> io::Result<Option<PathBuf>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain)?;
    let gzip = encoder.finish()?;
    if gzip.len() >= plain.len() {
        return Ok(None);
    }
    let path = PathBuf::from(format!("{}.gz", path.display()));
    fs::write(&path, gzip)?;
    Ok(Some(path))
}

/// FNV-1a over all files: it only has to differ when they do.
struct Fingerprint(u64);

impl Default for Fingerprint {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fingerprint {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
