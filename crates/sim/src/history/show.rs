//! Calls as a person reads them.

use std::fmt;

use super::{
    Append, Call, Erasure, History, Operation, Outcome, Page, Profile, Reply, Row, Shown, TailEvent,
    TailStart, Target,
};

/// Rows of a page that are printed; of a longer one, its ends.
const ROWS_SHOWN: usize = 12;

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.calls().iter().try_for_each(|call| writeln!(f, "{call}"))
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{} [{}..", self.id, self.begun)?;
        match self.ended {
            Some(tick) => write!(f, "{tick}]")?,
            None => f.write_str("never]")?,
        }
        write!(
            f,
            " {} at {}: {} -> {}",
            self.client, self.node, self.operation, self.outcome
        )?;
        for (tick, event) in &self.tail.events {
            write!(f, "; {tick}: {event}")?;
        }
        match self.tail.end {
            Some((tick, end)) => write!(f, "; {tick}: ended {end:?}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(new) => {
                write!(f, "create {} of {}, ", new.chat, new.tenant)?;
                match new.profile {
                    Profile::Support(principal) => write!(f, "principal {principal}"),
                    Profile::Peer => f.write_str("peers"),
                }
            }
            Self::Close(chat) => write!(f, "close {chat}"),
            Self::Append(append) => append.fmt(f),
            Self::Read(chat) => write!(f, "read {chat}"),
            Self::Tail { chat, start } => match start {
                TailStart::Now => write!(f, "tail {chat} from now"),
                TailStart::After(seq) => write!(f, "tail {chat} after {seq}"),
                TailStart::Position { seq, given } => {
                    write!(
                        f,
                        "tail {chat} from the position after {seq} that was given at {given}"
                    )
                }
            },
            Self::Erase(erase) => {
                write!(f, "erase {}", erase.target)?;
                erase.request.map_or(Ok(()), |request| write!(f, " as {request}"))
            }
            Self::Look(erasure) => write!(f, "look at {erasure}"),
        }
    }
}

impl fmt::Display for Append {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "append {} of {} to {} as {}",
            self.text, self.author, self.chat, self.request
        )?;
        self.about
            .iter()
            .try_for_each(|person| write!(f, ", about {person}"))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(tenant, person) => write!(f, "{person} of {tenant}"),
            Self::Chat(chat) => chat.fmt(f),
            Self::Tenant(tenant) => tenant.fmt(f),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pending => f.write_str("no answer"),
            Self::Ok(reply) => reply.fmt(f),
            Self::Refused(refusal) => write!(f, "refused: {refusal:?}"),
            Self::Unknown => f.write_str("outcome unknown"),
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created | Self::Closed | Self::Tailing => write!(f, "{self:?}"),
            Self::Appended(ack) => {
                write!(f, "seq {} time {}", ack.seq, ack.time)?;
                f.write_str(if ack.replayed { " replayed" } else { "" })?;
                f.write_str(if ack.erased { " ERASED" } else { "" })
            }
            Self::Page(page) => page.fmt(f),
            Self::Erasure(erasure) => erasure.fmt(f),
        }
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "from {}:", self.from)?;
        let shown = self.rows.len().min(ROWS_SHOWN);
        let (first, last) = (shown.div_ceil(2), shown / 2);
        let show =
            |f: &mut fmt::Formatter<'_>, rows: &[Row]| rows.iter().try_for_each(|row| write!(f, " {row}"));
        show(f, &self.rows[..first])?;
        if self.rows.len() > shown {
            write!(f, " ({} more)", self.rows.len() - shown)?;
        }
        show(f, &self.rows[self.rows.len() - last..])?;
        f.write_str(if self.end { ", the end" } else { ", and more" })
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shown {
            Shown::Text(text) => write!(f, "{}={text}", self.seq),
            Shown::Erased => write!(f, "{}=ERASED", self.seq),
        }
    }
}

impl fmt::Display for TailEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(row) => row.fmt(f),
            Self::Erased | Self::Closed => write!(f, "{self:?}"),
        }
    }
}

impl fmt::Display for Erasure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.id, self.step)?;
        match self.missing {
            0 => Ok(()),
            missing => write!(f, ", {missing} missing"),
        }
    }
}
