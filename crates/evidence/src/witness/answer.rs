//! What a witness answers.

use crate::encoding::decimal;
use crate::note::{NOTE_BYTES_MAX, NoteError, SignatureLine, parse_lines};

/// The media type of a conflict's body.
pub const SIZE_CONTENT_TYPE: &str = "text/x.tlog.size";

/// Why an answer says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// A status that the protocol does not have.
    #[error("status {0}, which witnesses do not answer with")]
    Status(u16),
    /// The body is not a list of signature lines.
    #[error("not a list of cosignatures: {0}")]
    Cosignatures(#[from] NoteError),
    /// The body is not a tree size and a newline.
    #[error("a conflict without a canonical tree size")]
    Size,
}

/// The answer to an `add-checkpoint` request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WitnessAnswer {
    /// 200: lines to add to the checkpoint, once they have been checked.
    Cosigned(Vec<SignatureLine>),
    /// 400: the request has another form, or an old size above the new one.
    BadRequest,
    /// 403: no key that the witness trusts for this log signed the checkpoint.
    Forbidden,
    /// 404: the witness does not know the log.
    NotFound,
    /// 409: the old size is not that of the last cosigned tree, or that tree has the same size and another root.
    Conflict {
        /// Leaves of the tree that the witness cosigned last.
        size: u64,
    },
    /// 422: the consistency proof is wrong.
    Unprocessable,
}

impl WitnessAnswer {
    /// Reads an answer of an HTTP status and a body. Bodies of refusals without content are not looked at.
    pub fn parse(status: u16, body: &[u8]) -> Result<Self, AnswerError> {
        match status {
            200 => Ok(Self::Cosigned(parse_cosignatures(body)?)),
            400 => Ok(Self::BadRequest),
            403 => Ok(Self::Forbidden),
            404 => Ok(Self::NotFound),
            409 => {
                let size = std::str::from_utf8(body).ok();
                let size = size.and_then(|text| text.strip_suffix('\n')).and_then(decimal);
                size.map(|size| Self::Conflict { size }).ok_or(AnswerError::Size)
            }
            422 => Ok(Self::Unprocessable),
            other => Err(AnswerError::Status(other)),
        }
    }

    /// Its HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::Cosigned(_) => 200,
            Self::BadRequest => 400,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict { .. } => 409,
            Self::Unprocessable => 422,
        }
    }

    /// Its body. That of a conflict has the type [`SIZE_CONTENT_TYPE`].
    pub fn body(&self) -> String {
        match self {
            Self::Cosigned(lines) => lines.iter().map(|line| format!("{line}\n")).collect(),
            Self::Conflict { size } => format!("{size}\n"),
            Self::BadRequest | Self::Forbidden | Self::NotFound | Self::Unprocessable => String::new(),
        }
    }
}

fn parse_cosignatures(body: &[u8]) -> Result<Vec<SignatureLine>, NoteError> {
    if body.len() > NOTE_BYTES_MAX {
        return Err(NoteError::TooLong);
    }
    parse_lines(std::str::from_utf8(body).map_err(|_| NoteError::NotText)?)
}
