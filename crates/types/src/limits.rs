//! Limits on everything a caller or a peer can make grow. Crossing one is a typed error.

/// Bytes of all parts of one message.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// Parts of one message.
pub const PARTS_MAX: usize = 16;
/// Owners named by one part's `about` beside the owner that the conversation's profile gives.
pub const ABOUT_MAX: usize = 3;
/// Messages of one AppendMessages call.
pub const BATCH_MESSAGES_MAX: usize = 1_000;
/// Bytes of one AppendMessages call, and of one call of any kind.
pub const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of a subject reference, request id or external reference.
pub const REFERENCE_BYTES_MAX: usize = 128;
/// Bytes of a tenant's name.
pub const TENANT_BYTES_MAX: usize = 64;
/// Bytes of a conversation's title.
pub const TITLE_BYTES_MAX: usize = 1_024;
/// Participants of one conversation.
pub const PARTICIPANTS_MAX: usize = 256;
/// Purposes of one conversation.
pub const PURPOSES_MAX: usize = 16;
/// Bytes of a purpose's name.
pub const PURPOSE_BYTES_MAX: usize = 64;
/// Messages or conversations on one page.
pub const PAGE_MAX: usize = 1_000;
/// Messages or conversations on a page when the caller names no size.
pub const PAGE_DEFAULT: usize = 50;
/// Bytes of sealed messages on one page: a page ends early rather than cross it.
pub const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of one replicated command.
pub const COMMAND_BYTES_MAX: usize = 1024 * 1024;
/// Operations batched into one replicated command.
pub const COMMAND_OPERATIONS_MAX: usize = 1_024;
/// Voters of a group.
pub const VOTERS_MAX: usize = 7;
/// Data groups of a cluster.
pub const DATA_GROUPS_MAX: u32 = 64;
/// Unacknowledged messages of one StreamAppend.
pub const STREAM_IN_FLIGHT_MAX: usize = 1_024;
/// Keys of one name that exist at once: the one in use, and those before it that are fenced.
pub const INCARNATIONS_MAX: u32 = 4;
/// Keys that one epoch erases.
pub const EPOCH_ERASURES_MAX: usize = 512;
/// Seconds that an erasure may be held back after its fence, so that it can be taken back: 30 days.
pub const HOLD_S_MAX: u32 = 30 * 24 * 3_600;
/// Keys that one command fences below others, or takes back.
pub const EXPAND_KEYS_MAX: usize = 256;
/// Rows that one command deletes.
pub const SWEEP_ROWS_MAX: usize = 2_048;
/// Holders that share one root: a share of more does not fit in every vault.
pub const ROOT_HOLDERS_MAX: usize = 8;
/// Nodes of a cluster that may hold a root at once.
pub const HOLDERS_MAX: usize = 1_024;
