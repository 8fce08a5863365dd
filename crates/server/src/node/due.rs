//! Which fenced keys the next epoch erases.

use std::collections::BTreeSet;

use eunoe_core::StateView;
use eunoe_core::control::{self, ErasureRow, ErasureState, Stage};
use eunoe_types::{ErasureId, Fault, Kid, TimeMs, limits};
use tokio::time::Instant;

use super::waiting::Waiting;

/// Held erasures read at a time.
const PAGE: usize = 1_024;

/// Keys to erase `now`, by this node's clocks: those that waited long enough take the younger ones along, except those
/// whose hold is not over.
pub(super) fn due(
    view: &dyn StateView,
    waiting: &mut Waiting,
    now: (TimeMs, Instant),
) -> Result<Option<Vec<Kid>>, Fault> {
    learn_holds(view, waiting, now)?;
    let mut candidates = control::under_way(view, Stage::Due, None, limits::EPOCH_ERASURES_MAX)?;
    candidates.extend(waiting.let_go(now.1, limits::EPOCH_ERASURES_MAX));
    // Those that were held are older: they would wait for ever behind a stream of others.
    candidates.sort_unstable();
    waiting.look(now.1, candidates.iter().map(|(fence, _)| *fence));
    let (mut is_due, mut keys, mut let_go) = (false, Vec::new(), BTreeSet::new());
    for (fence, id) in candidates {
        let row = under_way(view, &id)?;
        if row.state != ErasureState::Fenced {
            // It was held, and is erased or taken back.
            let_go.insert((fence, id));
            continue;
        }
        if row.expanding > 0 {
            continue;
        }
        let left = limits::EPOCH_ERASURES_MAX - keys.len();
        keys.extend(control::keys_of_erasure(view, &id, left)?);
        is_due |= row.urgent || waiting.is_over(fence, row.fenced.0, now);
        if keys.len() == limits::EPOCH_ERASURES_MAX {
            is_due = true;
            break;
        }
    }
    waiting.forget_holds(&let_go);
    Ok((is_due && !keys.is_empty()).then_some(keys))
}

fn under_way(view: &dyn StateView, id: &ErasureId) -> Result<ErasureRow, Fault> {
    control::erasure(view, id)?.ok_or_else(|| Fault::broken("an erasure under way is not there"))
}

/// Sees the holds that came since the last time.
fn learn_holds(view: &dyn StateView, waiting: &mut Waiting, now: (TimeMs, Instant)) -> Result<(), Fault> {
    loop {
        let page = control::under_way(view, Stage::Held, waiting.last_hold(), PAGE)?;
        for hold in &page {
            let row = under_way(view, &hold.1)?;
            waiting.hold(*hold, row.fenced.0, row.hold_s, now);
        }
        if page.len() < PAGE {
            return Ok(());
        }
    }
}
