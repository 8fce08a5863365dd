//! `eunoed` that writes all its keys to the file that `EUNOE_EXPORT_KEYS` names, and that ends or stops at the steps that
//! are armed in the folder that `EUNOE_FAILPOINTS` names. For tests; never to be shipped.

use std::error::Error;
use std::path::Path;

use eunoe_server::config::Config;
use eunoe_server::{node, telemetry};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(2).ok_or("usage: --config FILE")?;
    let config = Config::load(Path::new(&path))?;
    telemetry::init(&config.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(node::run(config))?;
    Ok(())
}
