//! What must not be found in anything that the program writes.

use crate::folder::Folder;

/// Secrets and tokens, by what they are.
#[derive(Default)]
pub(crate) struct Hidden(Vec<(&'static str, String)>);

impl Hidden {
    pub(crate) fn add(&mut self, what: &'static str, value: &str) {
        assert!(value.len() >= 16, "{what}: {value}");
        self.0.push((what, value.to_owned()));
    }

    #[track_caller]
    pub(crate) fn assert_absent(&self, place: &str, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        for (what, value) in &self.0 {
            assert!(!text.contains(value.as_str()), "{what} is in {place}");
        }
    }

    /// Looks into every byte of every file of the folder but the key file, and of the catalog wherever it is.
    pub(crate) fn assert_absent_from_stores(&self, folder: &Folder) {
        self.assert_absent("the catalog", &folder.stolen_catalog());
        let mut seen = Vec::new();
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_file() && name != "keys.toml" {
                self.assert_absent(&name, &std::fs::read(&path).unwrap());
                seen.push(name);
            }
        }
        assert!(seen.iter().any(|name| name == "logs.db"), "{seen:?}");
    }
}
