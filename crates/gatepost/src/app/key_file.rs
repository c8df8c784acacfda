//! The key file, readable for its owner only, or a variable in its place: the keys, or the key that they are wrapped
//! with in the catalog.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, bail};
use gatepost_oauth::{KeyFile, LocalKeys};

use super::KEYS_VARIABLE;

const HEAD: &str = "\
# Keys of this Gatepost installation. Keep this file secret (mode 0600) and back it up with the catalog:
# without it no client secret can be checked any more. `gatepost keys` changes it.

";

/// Where the keys are.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// A file with mode 0600.
    File(PathBuf),
    /// The text of such a file, from variable `GATEPOST_KEYS`.
    Variable(String),
}

impl KeySource {
    /// Reads and checks the keys.
    pub fn load(&self) -> anyhow::Result<LocalKeys> {
        let text = match self {
            Self::File(path) => {
                check_mode(path)?;
                fs::read_to_string(path).with_context(|| format!("key file {}", path.display()))?
            }
            Self::Variable(text) => text.clone(),
        };
        // The parser's message could quote a key: only the place is told.
        let file: KeyFile = toml::from_str(&text).map_err(|error: toml::de::Error| {
            anyhow::anyhow!(
                "{self} is no key file (problem at byte {})",
                error.span().map_or(0, |span| span.start)
            )
        })?;
        LocalKeys::from_file(&file).with_context(|| format!("{self}"))
    }

    /// Whether there are keys to read.
    pub fn exists(&self) -> bool {
        match self {
            Self::File(path) => path.exists(),
            Self::Variable(_) => true,
        }
    }

    /// Replaces the file in one step; a reader sees the old keys or the new ones.
    pub fn save(&self, keys: &LocalKeys) -> anyhow::Result<()> {
        let path = self.file()?;
        let text = format!("{HEAD}{}", toml::to_string(&keys.to_file())?);
        let temporary = path.with_extension(format!("new-{}", std::process::id()));
        let _ = fs::remove_file(&temporary);
        write_private(&temporary, text.as_bytes())
            .with_context(|| format!("key file {}", temporary.display()))?;
        fs::rename(&temporary, path).with_context(|| format!("key file {}", path.display()))?;
        sync_folder(path).with_context(|| format!("folder of {}", path.display()))
    }

    /// Changes the file. Two processes that do it at a time wait for each other.
    pub fn change<T>(&self, work: impl FnOnce(&mut LocalKeys) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let lock = self.lock_file()?;
        lock.lock()?;
        let mut keys = self.load()?;
        let outcome = work(&mut keys)?;
        self.save(&keys)?;
        Ok(outcome)
    }

    /// Whether there is a file in a place where this process may write: a mounted secret is not.
    pub fn can_change(&self) -> bool {
        self.lock_file().is_ok()
    }

    fn lock_file(&self) -> anyhow::Result<fs::File> {
        let path = self.file()?.with_extension("lock");
        fs::File::create(&path).with_context(|| format!("lock file {}", path.display()))
    }

    /// The file, which can be changed, unlike a variable.
    fn file(&self) -> anyhow::Result<&Path> {
        match self {
            Self::File(path) => Ok(path),
            Self::Variable(_) => bail!("the keys come from {KEYS_VARIABLE}; change them there"),
        }
    }

    /// Changes whenever the file does.
    pub fn modified(&self) -> Option<SystemTime> {
        match self {
            Self::File(path) => fs::metadata(path).and_then(|meta| meta.modified()).ok(),
            Self::Variable(_) => None,
        }
    }
}

impl std::fmt::Display for KeySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "key file {}", path.display()),
            Self::Variable(_) => f.write_str("variable GATEPOST_KEYS"),
        }
    }
}

/// Makes a folder, and those above it, that only its owner can look into. Existing ones stay as they are.
pub fn make_private_folder(path: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Makes sure that a new name in a folder survives a power cut.
fn sync_folder(file: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    if let Some(folder) = file.parent() {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Writes a file that only its owner can read, and makes sure that it is on disk.
pub fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    // One that was there keeps its mode otherwise.
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(unix)]
fn check_mode(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode =
        fs::metadata(path).with_context(|| format!("key file {}", path.display()))?.permissions().mode();
    if mode & 0o077 != 0 {
        bail!("{} can be read by others (mode {:03o}); run: chmod 600 {0}", path.display(), mode & 0o777);
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_mode(_path: &Path) -> anyhow::Result<()> {
    Ok(())
}
