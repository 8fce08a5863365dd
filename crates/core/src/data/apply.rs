//! `apply` of the data machine: conversations. Messages are in `append`.

use eunoe_types::{ConversationId, Fault, Kid, LogPosition, Seq, TimeMs, limits};

use super::append;
use super::command::{CreateConversation, NewParticipant, Operation, decode_command};
use super::reply::{Rejection, Reply, encode_replies};
use super::row::{ConversationRow, ConversationState, HeadRow, ParticipantRow, SubjectRow};
use crate::{Applied, Effect, Machine, Txn};

/// The machine of a data group.
#[derive(Clone, Copy, Debug, Default)]
pub struct DataMachine;

/// An operation's answer: both sides are replies, a fault is not.
pub(super) type Answer = Result<Reply, Rejection>;

impl Machine for DataMachine {
    fn apply(&self, txn: &mut Txn<'_>, _at: LogPosition, command: &[u8]) -> Result<Applied, Fault> {
        let operations = decode_command(command)?;
        let mut replies = Vec::with_capacity(operations.len());
        let mut effects = Vec::new();
        for operation in &operations {
            let answer = match operation {
                Operation::Create(new) => create(txn, new)?,
                Operation::Append(message) => append::append(txn, message)?,
                Operation::Close { conversation, time } => close(txn, conversation, *time)?,
            };
            if answer.is_ok() {
                note_change(&mut effects, operation.conversation());
            }
            replies.push(answer.unwrap_or_else(Reply::Rejected));
        }
        Ok(Applied {
            reply: encode_replies(&replies),
            effects,
        })
    }
}

impl Operation<'_> {
    fn conversation(&self) -> ConversationId {
        match self {
            Operation::Create(new) => new.id,
            Operation::Append(message) => message.conversation,
            Operation::Close { conversation, .. } => *conversation,
        }
    }
}

/// Neighbouring operations on one conversation give one hint.
fn note_change(effects: &mut Vec<Effect>, conversation: ConversationId) {
    let effect = Effect::ConversationChanged(conversation);
    if effects.last() != Some(&effect) {
        effects.push(effect);
    }
}

pub(super) fn head(txn: &Txn<'_>, id: &ConversationId) -> Result<Option<HeadRow>, Fault> {
    txn.decoded(&HeadRow::key(id), HeadRow::decode)
}

fn create(txn: &mut Txn<'_>, new: &CreateConversation<'_>) -> Result<Answer, Fault> {
    if let Some(bytes) = txn.get(&ConversationRow::key(&new.id))? {
        let row = ConversationRow::decode(&bytes)?;
        let same = (row.profile, row.principal, row.tenant) == (new.profile, new.principal, new.tenant);
        return Ok(if same {
            Ok(Reply::Created { new: false })
        } else {
            Err(Rejection::ConversationDiffers)
        });
    }
    let row = ConversationRow {
        profile: new.profile,
        principal: new.principal,
        tenant: new.tenant,
        created: new.time,
        purposes: new.purposes.iter().map(|purpose| (*purpose).to_owned()).collect(),
        sealed: new.sealed.to_vec(),
    };
    txn.put(ConversationRow::key(&new.id), row.encode());
    let mut head = HeadRow {
        last_seq: Seq(0),
        last_time: new.time,
        participants: 0,
        key_sets: 0,
        state: ConversationState::Open,
    };
    for participant in &new.participants {
        // The command's own limit keeps the list within PARTICIPANTS_MAX.
        let _number = participant_number(txn, &new.id, &mut head, participant)?;
    }
    txn.put(HeadRow::key(&new.id), head.encode());
    Ok(Ok(Reply::Created { new: true }))
}

/// The number of a participant who may be new; the caller writes the head.
pub(super) fn participant_number(
    txn: &mut Txn<'_>,
    conversation: &ConversationId,
    head: &mut HeadRow,
    participant: &NewParticipant<'_>,
) -> Result<Result<u32, Rejection>, Fault> {
    let index = SubjectRow::key(&participant.kid, conversation);
    let known = txn.decoded(&index, SubjectRow::decode)?;
    if let Some(number) = known.and_then(|row| row.participant) {
        return Ok(Ok(number));
    }
    let number = head.participants;
    if number as usize >= limits::PARTICIPANTS_MAX {
        return Ok(Err(Rejection::TooManyParticipants));
    }
    head.participants += 1;
    let row = ParticipantRow::encode(&participant.kid, participant.kind, participant.sealed);
    txn.put(ParticipantRow::key(conversation, number), row);
    txn.put(
        index,
        SubjectRow {
            participant: Some(number),
        }
        .encode(),
    );
    Ok(Ok(number))
}

/// Makes a conversation findable by an owner of its parts.
pub(super) fn note_owner(txn: &mut Txn<'_>, conversation: &ConversationId, owner: &Kid) -> Result<(), Fault> {
    let index = SubjectRow::key(owner, conversation);
    if !txn.contains(&index)? {
        txn.put(index, SubjectRow { participant: None }.encode());
    }
    Ok(())
}

fn close(txn: &mut Txn<'_>, id: &ConversationId, time: TimeMs) -> Result<Answer, Fault> {
    let Some(mut head) = head(txn, id)? else {
        return Ok(Err(Rejection::NoSuchConversation));
    };
    let since = match head.state {
        ConversationState::Closed(since) => since,
        ConversationState::Open => {
            let since = time.max(head.last_time);
            head.state = ConversationState::Closed(since);
            txn.put(HeadRow::key(id), head.encode());
            since
        }
    };
    Ok(Ok(Reply::Closed { time: since }))
}
