//! The code that makes the first administrator. It is printed where the program was started, so that nobody else on
//! the network can claim the console.

use std::sync::OnceLock;

use aws_lc_rs::constant_time;

use crate::app::clock::random_bytes;

/// Letters and digits that are not taken for each other.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz123456789";

/// Made when it is first asked for; ends with the process.
#[derive(Debug, Default)]
pub(super) struct Setup {
    code: OnceLock<String>,
}

impl Setup {
    /// Three groups of four: 60 bits.
    pub(super) fn code(&self) -> String {
        let make = || {
            let letters = random_bytes::<12>().map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
            let group = |from: usize| letters[from..from + 4].iter().collect::<String>();
            format!("{}-{}-{}", group(0), group(4), group(8))
        };
        self.code.get_or_init(make).clone()
    }

    /// Whether this is the code, however it is grouped.
    pub(super) fn is_code(&self, sent: &str) -> bool {
        let plain = |text: &str| {
            text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
        };
        let (ours, theirs) = (plain(&self.code()), plain(sent));
        constant_time::verify_slices_are_equal(ours.as_bytes(), theirs.as_bytes()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Setup;

    #[test]
    fn only_the_code_counts_in_any_grouping() {
        let setup = Setup::default();
        let code = setup.code();
        assert_eq!(code, setup.code());
        assert!(setup.is_code(&code) && setup.is_code(&code.replace('-', " ").to_uppercase()));
        assert!(!setup.is_code("") && !setup.is_code(&code[1..]) && !setup.is_code(&Setup::default().code()));
    }
}
