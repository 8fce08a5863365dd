//! What the process does about its own memory before it holds anything secret.

use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Keeps the memory of this process to itself: no core dumps, and no debugger of the same user, both for good. A
/// development node does not call it, so that it can be debugged.
pub fn protect_memory() -> io::Result<()> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// Whether the machine has swap: keys never get there, messages that were opened may. Swap that cannot be asked about
/// counts as none.
pub fn swaps() -> bool {
    std::fs::read_to_string("/proc/swaps").is_ok_and(|table| has_device(&table))
}

/// The first line is the heading.
fn has_device(table: &str) -> bool {
    table.lines().skip(1).any(|line| !line.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use rustix::process::{dumpable_behavior, getrlimit};

    use super::*;

    #[test]
    fn a_protected_process_leaves_no_core_and_cannot_be_read_by_others() {
        protect_memory().unwrap();
        let core = getrlimit(Resource::Core);
        assert_eq!((core.current, core.maximum), (Some(0), Some(0)));
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
        // What the node reads of itself stays readable.
        assert!(std::fs::read_dir("/proc/self/fd").is_ok());
    }

    #[test]
    fn swap_is_seen_in_the_systems_table() {
        let heading = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
        assert!(!has_device(heading));
        assert!(has_device(&format!(
            "{heading}/swap.img file\t8388604\t\t0\t\t-2\n"
        )));
        assert!(!has_device(""));
    }
}
