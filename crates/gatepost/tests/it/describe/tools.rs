//! Programs that nobody here wrote, to judge documents and to run what is made of them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::sources::foreign::{cached, need, run_installer, works};

const REQUIREMENTS: &str = include_str!("requirements.txt");
const PACKAGE: [(&str, &str); 2] = [
    ("package.json", include_str!("package.json")),
    ("package-lock.json", include_str!("package-lock.json")),
];

/// Python with `openapi-spec-validator`, `jsonschema` and `requests`.
pub(super) fn python() -> &'static PathBuf {
    static INSTALLED: OnceLock<PathBuf> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        need("Python 3 with venv and pip", &["python3-venv", "python3-pip"], || {
            works("python3", &["-c", "import ensurepip, venv"])
        });
        let folder = cached("openapi", REQUIREMENTS, |folder| {
            std::fs::write(folder.join("requirements.txt"), REQUIREMENTS).unwrap();
            run_installer(Command::new("python3").args(["-m", "venv", "venv"]), folder);
            let arguments = ["-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r"];
            let mut pip = Command::new(folder.join("venv/bin/python"));
            run_installer(pip.args(arguments).arg("requirements.txt"), folder);
        });
        folder.join("venv/bin/python")
    })
}

/// Newman, which runs Postman collections.
pub(super) fn newman() -> &'static PathBuf {
    static INSTALLED: OnceLock<PathBuf> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        need("Node.js 18 or newer with npm", &["nodejs", "npm"], || {
            works("node", &["-e", "process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)"])
                && works("npm", &["--version"])
        });
        let folder = cached("newman", &PACKAGE.map(|(_, text)| text).concat(), |folder| {
            for (name, text) in PACKAGE {
                std::fs::write(folder.join(name), text).unwrap();
            }
            let mut npm = Command::new("npm");
            run_installer(npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]), folder);
        });
        folder.join("node_modules/newman/bin/newman.js")
    })
}

/// Judges a document, and with a token what GETs answer; says how many answered with success.
pub(super) fn conform(document: &Path, values: &str, token: Option<&str>, left_out: &[&str]) -> usize {
    let mut judge = Command::new(python());
    judge.arg("-c").arg(include_str!("conform.py")).arg(document).arg(values).args(left_out);
    judge.envs(token.map(|token| ("ACCESS_TOKEN", token)));
    output(&mut judge).trim().parse().unwrap()
}

/// What a program prints, which must succeed.
#[track_caller]
pub(super) fn output(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}
