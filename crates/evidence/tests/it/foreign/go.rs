//! Go's golang.org/x/mod/sumdb, whose `note` and `tlog` are where these formats come from (`tests/go/main.go`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use eunoe_evidence::merkle::verify_inclusion;
use eunoe_evidence::{Proof, SignedCheckpoint, VerifierKey};

use crate::story::{self, Story};
use crate::tiles::Files;
use crate::world::{
    COSIGNERS, INDEX, OLD_SIZE, SIZE, checkpoint, cosigner, leaf, leaf_hashes, log_key, proof, request,
    signed,
};

/// Debian's home of libraries in Go (golang-golang-x-mod-dev).
const GOPATH: &str = "/usr/share/gocode";

/// The program, built. None without Go.
fn program(folder: &Path) -> Option<PathBuf> {
    let binary = folder.join("verify");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/go/main.go");
    let built = Command::new("go")
        .args(["build", "-o"])
        .args([&binary, &source])
        .env("GO111MODULE", "off")
        .env("GOPATH", GOPATH)
        .env("GOTOOLCHAIN", "local")
        .env("GOFLAGS", "")
        .env("GOCACHE", folder.join("cache"))
        .output();
    let built = match built {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        built => built.unwrap(),
    };
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    Some(binary)
}

fn write_all(folder: &Path) {
    let vkeys = COSIGNERS.map(|short| cosigner(short).verifier().to_string());
    let old_root = checkpoint(OLD_SIZE).to_string();
    let tiles = Files::of(&leaf_hashes(SIZE), &[SIZE]);
    let paths: String = tiles.paths().map(|(path, _)| format!("{path}\n")).collect();
    for (name, content) in [
        ("log.vkey", log_key().verifier().to_string().into_bytes()),
        ("cosigners", vkeys.join("\n").into_bytes()),
        ("checkpoint", signed().to_string().into_bytes()),
        ("proof", proof().to_string().into_bytes()),
        ("leaf", leaf(INDEX)),
        ("add-checkpoint", request().to_string().into_bytes()),
        ("old-root", old_root.lines().nth(2).unwrap().as_bytes().to_vec()),
        ("paths", paths.into_bytes()),
    ] {
        fs::write(folder.join(name), content).unwrap();
    }
    for (path, content) in tiles.paths() {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

fn verify(program: &Path, folder: &Path) -> Output {
    Command::new(program).arg(folder).output().unwrap()
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn p1_go_verifies_each_entry_of_a_receipt() {
    let folder = folder("evidence-go-receipt");
    let Some(program) = program(&folder) else {
        println!("skipped: there is no `go` here (Debian: golang-go, golang-golang-x-mod-dev)");
        return;
    };
    let vkeys = COSIGNERS.map(|short| cosigner(short).verifier().to_string());
    let entries = story::unpacked(&Story::at_threshold().receipt("threshold"));
    let write = |name: &str, content: &[u8]| fs::write(folder.join(name), content).unwrap();
    write("log.vkey", story::log_key().verifier().to_string().as_bytes());
    write("cosigners", vkeys.join("\n").as_bytes());
    let said = || Command::new(&program).arg(&folder).arg("proof").output().unwrap();
    for (leaf, proof) in &entries {
        let checkpoint = proof.split_once("\n\n").unwrap().1;
        write("checkpoint", checkpoint.as_bytes());
        write("proof", proof.as_bytes());
        write("leaf", leaf);
        let said = said();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        let text = String::from_utf8_lossy(&said.stdout);
        assert!(text.ends_with(" is in the tree\nok\n"), "{text}");
    }
    // A control: the leaf of another.
    write("leaf", &entries[0].0);
    assert!(!said().status.success());
}

#[test]
fn go_and_we_verify_what_the_other_wrote() {
    let folder = folder("evidence-go");
    let Some(program) = program(&folder) else {
        println!("skipped: there is no `go` here (Debian: golang-go, golang-golang-x-mod-dev)");
        return;
    };
    write_all(&folder);
    let verified = verify(&program, &folder);
    let said = String::from_utf8_lossy(&verified.stdout);
    assert!(
        verified.status.success(),
        "{}",
        String::from_utf8_lossy(&verified.stderr)
    );
    assert_eq!(
        said,
        "checkpoint of 300 leaves, 4 signatures\nleaf 257 is in the tree\n\
         the tree of 259 leaves is its beginning\ntiles prove 300 leaves\nok\n"
    );
    we_verify_what_go_wrote(&folder);
    // A control: the program can say no, to each file.
    for name in [
        "log.vkey",
        "checkpoint",
        "proof",
        "leaf",
        "add-checkpoint",
        "old-root",
        "tile/0/000",
        "tile/1/000.p/1",
    ] {
        write_all(&folder);
        let mut changed = fs::read(folder.join(name)).unwrap();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        fs::write(folder.join(name), changed).unwrap();
        assert!(!verify(&program, &folder).status.success(), "{name}");
    }
}

fn we_verify_what_go_wrote(folder: &Path) {
    let read = |name: &str| fs::read(folder.join(name)).unwrap();
    let key = VerifierKey::parse(&String::from_utf8(read("go.vkey")).unwrap()).unwrap();
    let signed = SignedCheckpoint::parse(&read("go.checkpoint")).unwrap();
    assert_eq!(signed.verify(&[key]).unwrap().len(), 1);
    assert_eq!(signed.checkpoint(), &checkpoint(SIZE));
    let proof = Proof::parse(&read("go.proof")).unwrap();
    proof.verify_inclusion(&leaf(0)).unwrap();
    let root = checkpoint(SIZE);
    verify_inclusion(&leaf_hashes(1)[0], 0, SIZE, proof.hashes(), root.root()).unwrap();
}
