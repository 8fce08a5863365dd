//! Pages of messages and of conversations, one by one or as a stream of what is on them.

use eunoe_proto::chat::list_messages_request::Start;
use eunoe_proto::chat::{
    Conversation, ConversationName, ListConversationsRequest, ListConversationsResponse, ListMessagesRequest,
    ListMessagesResponse, Message, Order,
};
use futures::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use prost_types::Timestamp;

use crate::client::chat;
use crate::retry::Repeat;
use crate::{Client, ClientError};

/// Where the first page starts.
#[derive(Clone, Default)]
pub enum MessageStart {
    /// At the first message; backward at the last.
    #[default]
    End,
    /// At this message, included.
    Seq(u64),
    /// At the first message at or after this time; backward at the last one at or before it.
    Time(Timestamp),
}

/// Which messages to read.
#[derive(Clone)]
pub struct MessageQuery {
    /// Of which conversation.
    pub conversation: ConversationName,
    /// What they are read for.
    pub purpose: String,
    /// Direction.
    pub order: Order,
    /// Where to start.
    pub start: MessageStart,
    /// At most 1,000; 0 leaves it to the server.
    pub page_size: i32,
}

impl MessageQuery {
    /// All messages, oldest first.
    pub fn all(conversation: ConversationName, purpose: impl Into<String>) -> Self {
        let (order, start) = (Order::Forward, MessageStart::End);
        Self {
            conversation,
            purpose: purpose.into(),
            order,
            start,
            page_size: 0,
        }
    }
}

impl Client {
    /// The pages of a query; nothing is asked for before the first one is taken.
    pub fn list_messages(&self, query: MessageQuery) -> MessagePages {
        let start = match query.start {
            MessageStart::End => None,
            MessageStart::Seq(seq) => Some(Start::FromSeq(seq)),
            MessageStart::Time(time) => Some(Start::FromTime(time)),
        };
        let request = ListMessagesRequest {
            tenant: self.tenant().to_owned(),
            conversation: Some(query.conversation),
            purpose: query.purpose,
            order: query.order.into(),
            start,
            page_size: query.page_size,
            page_token: String::new(),
        };
        MessagePages {
            client: self.clone(),
            request: Some(request),
        }
    }

    /// The conversations that a data subject takes part in.
    pub fn list_conversations(&self, subject: &str, purpose: &str, page_size: i32) -> ConversationPages {
        let request = ListConversationsRequest {
            tenant: self.tenant().to_owned(),
            subject: subject.to_owned(),
            purpose: purpose.to_owned(),
            page_size,
            page_token: String::new(),
        };
        ConversationPages {
            client: self.clone(),
            request: Some(request),
        }
    }
}

/// Pages of messages; see [`Client::list_messages`].
pub struct MessagePages {
    client: Client,
    request: Option<ListMessagesRequest>,
}

impl MessagePages {
    /// The next page; nothing after the last. After an error the same page is asked for again.
    pub async fn next_page(&mut self) -> Result<Option<ListMessagesResponse>, ClientError> {
        let Some(request) = &mut self.request else {
            return Ok(None);
        };
        let rpc = |channel, request| async move { chat(channel).list_messages(request).await };
        let page = self.client.call(Repeat::Safe, request.clone(), rpc).await?;
        if page.next_page_token.is_empty() {
            self.request = None;
        } else {
            request.page_token.clone_from(&page.next_page_token);
        }
        Ok(Some(page))
    }

    /// The messages of all pages. Ends after the first error.
    pub fn into_stream(self) -> impl Stream<Item = Result<Message, ClientError>> + Send {
        stream::try_unfold(self, |mut pages| async move {
            Ok::<_, ClientError>(pages.next_page().await?.map(|page| (page.messages, pages)))
        })
        .map_ok(|messages| stream::iter(messages).map(Ok))
        .try_flatten()
    }
}

/// Pages of conversations; see [`Client::list_conversations`].
pub struct ConversationPages {
    client: Client,
    request: Option<ListConversationsRequest>,
}

impl ConversationPages {
    /// The next page; nothing after the last. After an error the same page is asked for again.
    pub async fn next_page(&mut self) -> Result<Option<ListConversationsResponse>, ClientError> {
        let Some(request) = &mut self.request else {
            return Ok(None);
        };
        let rpc = |channel, request| async move { chat(channel).list_conversations(request).await };
        let page = self.client.call(Repeat::Safe, request.clone(), rpc).await?;
        if page.next_page_token.is_empty() {
            self.request = None;
        } else {
            request.page_token.clone_from(&page.next_page_token);
        }
        Ok(Some(page))
    }

    /// The conversations of all pages. Ends after the first error.
    pub fn into_stream(self) -> impl Stream<Item = Result<Conversation, ClientError>> + Send {
        stream::try_unfold(self, |mut pages| async move {
            Ok::<_, ClientError>(pages.next_page().await?.map(|page| (page.conversations, pages)))
        })
        .map_ok(|conversations| stream::iter(conversations).map(Ok))
        .try_flatten()
    }
}
