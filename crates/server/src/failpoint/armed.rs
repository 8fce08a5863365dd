//! What happens at a step that somebody waits for: the process gets a signal, or a simulated one ends.

use std::cell::RefCell;
use std::fs;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};

use super::Failpoint;

/// Name of the environment variable that names a folder. A file in it that is called after a process and a step, such as
/// `4711-switch-applied`, arms that step once: what is in it is `kill` or `stop`.
pub const FOLDER: &str = "EUNOE_FAILPOINTS";

/// A signal has been taken after so long.
const TAKEN: Duration = Duration::from_millis(200);

/// Says of a step whether the simulated node that runs now ends there.
type Hook = Rc<dyn Fn(Failpoint) -> bool>;

thread_local! {
    static SIMULATED: RefCell<Option<Hook>> = const { RefCell::new(None) };
}

/// Asks `hook` about every step that a node of this thread reaches. For simulators.
pub fn simulate(hook: Option<Hook>) {
    SIMULATED.set(hook);
}

/// Does to this process what its step is armed with.
///
/// # Panics
///
/// If the signal is refused. A task of a simulated node that ends here unwinds without a message: what comes after the
/// step is not done, and whoever simulates ends the rest of the node.
pub(crate) fn reached(step: Failpoint) {
    if let Some(hook) = SIMULATED.with_borrow(Clone::clone) {
        if hook(step) {
            resume_unwind(Box::new(step));
        }
        return;
    }
    let Some(signal) = armed_with(step) else { return };
    kill_process(getpid(), signal).expect("a process may signal itself");
    // Any thread of the process may take the signal, in its own time: this one must not go on before.
    thread::sleep(TAKEN);
}

/// Disarms the step: it is reached once.
fn armed_with(step: Failpoint) -> Option<Signal> {
    static ARMED: OnceLock<Option<PathBuf>> = OnceLock::new();
    let folder = ARMED.get_or_init(|| std::env::var_os(FOLDER).map(PathBuf::from));
    let file = folder
        .as_ref()?
        .join(format!("{}-{}", std::process::id(), step.name()));
    let word = fs::read_to_string(&file).ok()?;
    fs::remove_file(&file).ok()?;
    match word.as_str() {
        "kill" => Some(Signal::KILL),
        "stop" => Some(Signal::STOP),
        other => panic!("a failpoint is armed with {other}"),
    }
}
