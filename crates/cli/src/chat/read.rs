//! `eunoe read`

use eunoe_client::types::{Message, Order};
use eunoe_client::{MessageQuery, MessageStart};
use eunoe_types::limits;
use serde_json::Value;

use super::name_of;
use super::show::{message_json, message_text};
use crate::args::{Global, ReadArgs};
use crate::context::tenant_client;
use crate::failure::Failure;
use crate::output::{self, Output};

/// Prints messages page by page, a line each.
pub(crate) async fn run(global: &Global, arguments: ReadArgs) -> Result<(), Failure> {
    let client = tenant_client(global).await?;
    let mut left = arguments.limit.unwrap_or(usize::MAX);
    let order = if arguments.backward {
        Order::Backward
    } else {
        Order::Forward
    };
    let mut pages = client.list_messages(MessageQuery {
        conversation: name_of(arguments.which),
        purpose: global.purpose.clone(),
        order,
        start: arguments.from_seq.map_or(MessageStart::End, MessageStart::Seq),
        page_size: i32::try_from(left.min(limits::PAGE_MAX)).unwrap_or(0),
    });
    while left > 0
        && let Some(page) = pages.next_page().await?
    {
        let mut lines = String::new();
        for message in page.messages.iter().take(left) {
            lines.push_str(&line(global.output, message));
            lines.push('\n');
        }
        output::bytes(lines.as_bytes())?;
        left = left.saturating_sub(page.messages.len());
    }
    Ok(())
}

fn line(output: Output, message: &Message) -> String {
    match output {
        Output::Json => Value::from(message_json(message)).to_string(),
        Output::Text => message_text(message),
    }
}
