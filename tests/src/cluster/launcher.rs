//! What `eunoe dev` starts in place of `eunoed`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::{Setup, links};

/// A script that runs `eunoed` with the configuration of `eunoe dev` and the tables of the test behind it.
pub(super) fn write(folder: &Path, setup: &Setup) -> io::Result<PathBuf> {
    let (launcher, limits) = (folder.join("eunoed"), folder.join("limits.toml"));
    let more = format!("\n[limits]\n{}\n{}", setup.limits, setup.tables);
    fs::write(&limits, more)?;
    for (node, tables) in &setup.tables_of {
        fs::write(folder.join(format!("node-{node}.toml.more")), tables)?;
    }
    let of_node = format!("'{}'/$(basename \"$2\").more", folder.display());
    let edit = if setup.cuttable { links::EDIT } else { "cat" };
    // A test with an issuer of its own takes the place of the development cluster's.
    let issuer = if setup.tables.contains("[identity.oidc]") {
        "sed '/^\\[identity.oidc\\]/,/^$/d'"
    } else {
        "cat"
    };
    let data = move_data(setup);
    let script = format!(
        "#!/bin/sh\nset -e\n{edit} \"$2\" | {issuer} | {data} | cat - '{}' > \"$2.limited\"\n\
         if [ -f {of_node} ]; then cat {of_node} >> \"$2.limited\"; fi\n\
         exec '{}' --config \"$2.limited\"\n",
        limits.display(),
        setup.eunoed.display()
    );
    fs::write(&launcher, script)?;
    fs::set_permissions(&launcher, fs::Permissions::from_mode(0o755))?;
    Ok(launcher)
}

/// A shell command that prints a node's configuration with its data where the test wants it.
fn move_data(setup: &Setup) -> String {
    let edits = setup.data.iter().map(|(node, to)| {
        let to = to.display();
        format!(" -e 's|^data_dir = \".*/node-{node}\"|data_dir = \"{to}\"|'")
    });
    format!("sed -e ''{}", edits.collect::<String>())
}
