//! The unary calls of `ChatService`.

use eunoe_proto::chat::get_message_request::Message as Which;
use eunoe_proto::chat::{
    Ack, AppendMessageRequest, CloseConversationRequest, Conversation, ConversationName,
    CreateConversationRequest, GetConversationRequest, GetMessageRequest, Message, MessageInput, Participant,
    TypingRequest,
};

use crate::client::chat;
use crate::retry::Repeat;
use crate::{Client, ClientError, request_id};

/// What [`Client::create_conversation`] returns.
#[derive(Clone)]
pub struct Created {
    /// As stored.
    pub conversation: Conversation,
    /// False when it existed already.
    pub created: bool,
}

impl Client {
    /// Opens a conversation; the tenant is the client's, and an empty request id becomes a random one.
    pub async fn create_conversation(
        &self,
        mut request: CreateConversationRequest,
    ) -> Result<Created, ClientError> {
        request.tenant = self.tenant().to_owned();
        request_id::ensure(&mut request.request_id);
        let reply = self
            .call(Repeat::Safe, request, |channel, request| async move {
                chat(channel).create_conversation(request).await
            })
            .await?;
        Ok(Created {
            conversation: present(reply.conversation)?,
            created: reply.created,
        })
    }

    /// Returns one conversation.
    pub async fn get_conversation(
        &self,
        conversation: ConversationName,
        purpose: &str,
    ) -> Result<Conversation, ClientError> {
        let tenant = self.tenant().to_owned();
        let request = GetConversationRequest {
            tenant,
            conversation: Some(conversation),
            purpose: purpose.to_owned(),
        };
        let reply = self
            .call(Repeat::Safe, request, |channel, request| async move {
                chat(channel).get_conversation(request).await
            })
            .await?;
        present(reply.conversation)
    }

    /// Ends a conversation; doing it twice changes nothing.
    pub async fn close_conversation(
        &self,
        conversation: ConversationName,
        purpose: &str,
    ) -> Result<Conversation, ClientError> {
        let mut request = CloseConversationRequest {
            tenant: self.tenant().to_owned(),
            conversation: Some(conversation),
            request_id: String::new(),
            purpose: purpose.to_owned(),
        };
        request_id::ensure(&mut request.request_id);
        let reply = self
            .call(Repeat::Safe, request, |channel, request| async move {
                chat(channel).close_conversation(request).await
            })
            .await?;
        present(reply.conversation)
    }

    /// Adds one message; an empty request id becomes a random one.
    pub async fn append(&self, mut message: MessageInput) -> Result<Ack, ClientError> {
        request_id::ensure(&mut message.request_id);
        let request = AppendMessageRequest {
            tenant: self.tenant().to_owned(),
            message: Some(message),
        };
        let reply = self
            .call(Repeat::Safe, request, |channel, request| async move {
                chat(channel).append_message(request).await
            })
            .await?;
        present(reply.ack)
    }

    /// Returns the message with this sequence number.
    pub async fn get_message_by_seq(
        &self,
        conversation: ConversationName,
        seq: u64,
        purpose: &str,
    ) -> Result<Message, ClientError> {
        self.get_message(conversation, Which::Seq(seq), purpose).await
    }

    /// Returns the message with this id.
    pub async fn get_message_by_id(
        &self,
        conversation: ConversationName,
        id: &str,
        purpose: &str,
    ) -> Result<Message, ClientError> {
        self.get_message(conversation, Which::MessageId(id.to_owned()), purpose)
            .await
    }

    async fn get_message(
        &self,
        conversation: ConversationName,
        which: Which,
        purpose: &str,
    ) -> Result<Message, ClientError> {
        let request = GetMessageRequest {
            tenant: self.tenant().to_owned(),
            conversation: Some(conversation),
            purpose: purpose.to_owned(),
            message: Some(which),
        };
        let reply = self
            .call(Repeat::Safe, request, |channel, request| async move {
                chat(channel).get_message(request).await
            })
            .await?;
        present(reply.message)
    }

    /// Tells the tails of a conversation that somebody types, or stopped.
    pub async fn typing(
        &self,
        conversation_id: &str,
        participant: Participant,
        active: bool,
    ) -> Result<(), ClientError> {
        let request = TypingRequest {
            tenant: self.tenant().to_owned(),
            conversation_id: conversation_id.to_owned(),
            participant: Some(participant),
            active,
        };
        self.call(Repeat::Safe, request, |channel, request| async move {
            chat(channel).typing(request).await
        })
        .await?;
        Ok(())
    }
}

/// A field that the server always sets.
pub(crate) fn present<T>(field: Option<T>) -> Result<T, ClientError> {
    field.ok_or_else(|| ClientError::contract("the answer lacks what was asked for"))
}
