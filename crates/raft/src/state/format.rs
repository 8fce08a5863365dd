//! TEMP shim until eunoe_store::snapshot
use eunoe_types::Fault;
use std::path::Path;
pub(crate) struct Manifest {
    pub(crate) applied: Vec<u8>,
}
fn io(e: std::io::Error) -> Fault {
    Fault::io("snapshot", e)
}
pub(crate) fn seal(dir: &Path, applied: &[u8]) -> Result<Manifest, Fault> {
    std::fs::write(dir.join("MANIFEST-eunoe"), applied).map_err(io)?;
    Ok(Manifest {
        applied: applied.to_vec(),
    })
}
pub(crate) fn verify(dir: &Path) -> Result<Manifest, Fault> {
    manifest(dir)
}
pub(crate) fn manifest(dir: &Path) -> Result<Manifest, Fault> {
    Ok(Manifest {
        applied: std::fs::read(dir.join("MANIFEST-eunoe")).map_err(io)?,
    })
}
pub(crate) fn publish(from: &Path, to: &Path) -> Result<(), Fault> {
    std::fs::rename(from, to).map_err(io)
}
pub(crate) fn link(from: &Path, to: &Path) -> Result<(), Fault> {
    std::fs::create_dir(to).map_err(io)?;
    for e in std::fs::read_dir(from).map_err(io)? {
        let e = e.map_err(io)?;
        std::fs::copy(e.path(), to.join(e.file_name())).map_err(io)?;
    }
    Ok(())
}
