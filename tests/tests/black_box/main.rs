//! What real `eunoed` processes promise, asked through the SDK and the command line.

mod canaries;
mod catch_up;
mod import_and_read_back;
mod kill_loop;
mod load;
mod node_life;
mod tail_and_typing;
