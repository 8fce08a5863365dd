//! Reading a policy file, line by line (tlog-policy, *Policy file syntax and structure*).

use super::{
    Defined, DefinedKind, GROUPS_MAX, LOGS_MAX, Log, POLICY_BYTES_MAX, Policy, PolicyError, PolicyLineError,
    WITNESSES_MAX, WitnessKey,
};
use crate::encoding::decimal;
use crate::key::{SignatureType, VerifierKey};

/// The name of the quorum that asks for no cosignature.
const NONE: &str = "none";

type LineResult<T = ()> = Result<T, PolicyLineError>;

pub(super) fn policy(bytes: &[u8], sha256: [u8; 32]) -> Result<Policy, PolicyError> {
    if bytes.len() > POLICY_BYTES_MAX {
        return Err(PolicyError::TooLong);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| PolicyError::NotText)?;
    let allowed = |byte: u8| byte == b'\t' || byte == b'\n' || (byte >= b' ' && byte != 0x7f);
    let lines = text.strip_suffix('\n').filter(|_| text.bytes().all(allowed));
    let mut file = File::default();
    for (line, text) in (1..).zip(lines.ok_or(PolicyError::NotText)?.split('\n')) {
        file.line(text)
            .map_err(|error| PolicyError::Line { line, error })?;
    }
    Ok(Policy {
        quorum: file.quorum.ok_or(PolicyError::NoQuorum)?,
        logs: file.logs,
        witnesses: file.witnesses,
        defined: file.defined,
        sha256,
    })
}

/// What the lines so far say.
#[derive(Default)]
struct File {
    logs: Vec<Log>,
    witnesses: Vec<WitnessKey>,
    defined: Vec<Defined>,
    /// Places in `defined` that are members of a group.
    members: Vec<usize>,
    quorum: Option<Option<usize>>,
}

impl File {
    fn line(&mut self, line: &str) -> LineResult {
        let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
        let Some(keyword) = words.next().filter(|word| !word.starts_with('#')) else {
            return Ok(());
        };
        let words: Vec<&str> = words.collect();
        match (keyword, &words[..]) {
            ("log", [key]) => self.log(key, None),
            ("log", [key, url]) => self.log(key, Some(url)),
            ("witness", [name, key]) => self.witness(name, key, None),
            ("witness", [name, key, url]) => self.witness(name, key, Some(url)),
            ("group", [name, threshold, members @ ..]) => self.group(name, threshold, members),
            ("quorum", [name]) => self.quorum(name),
            ("log" | "witness" | "group" | "quorum", _) => Err(PolicyLineError::Words),
            _ => Err(PolicyLineError::Keyword),
        }
    }

    fn log(&mut self, key: &str, url: Option<&str>) -> LineResult {
        let key = self.new_key(key, SignatureType::Ed25519)?;
        let url = url.map(str::to_owned);
        push(&mut self.logs, Log { key, url }, LOGS_MAX)
    }

    fn witness(&mut self, name: &str, key: &str, url: Option<&str>) -> LineResult {
        let key = self.new_key(key, SignatureType::Cosignature)?;
        self.define(name, DefinedKind::Witness(self.witnesses.len()))?;
        let witness = WitnessKey {
            name: name.to_owned(),
            key,
            url: url.map(str::to_owned),
        };
        push(&mut self.witnesses, witness, WITNESSES_MAX)
    }

    fn group(&mut self, name: &str, threshold: &str, members: &[&str]) -> LineResult {
        let groups = self.defined.len() - self.witnesses.len();
        if groups == GROUPS_MAX {
            return Err(PolicyLineError::TooMany);
        }
        let threshold = match threshold {
            "all" => Some(members.len()),
            "any" => Some(1),
            number => decimal(number).and_then(|number| usize::try_from(number).ok()),
        };
        let threshold = threshold.filter(|threshold| (1..=members.len()).contains(threshold));
        let threshold = threshold.ok_or(PolicyLineError::Threshold)?;
        let mut places = Vec::with_capacity(members.len());
        for member in members {
            let place = self.place_of(member)?;
            if self.members.contains(&place) {
                return Err(PolicyLineError::MemberTwice);
            }
            self.members.push(place);
            places.push(place);
        }
        let members = places;
        self.define(name, DefinedKind::Group { threshold, members })
    }

    fn quorum(&mut self, name: &str) -> LineResult {
        let quorum = if name == NONE {
            None
        } else {
            Some(self.place_of(name)?)
        };
        match self.quorum.replace(quorum) {
            None => Ok(()),
            Some(_) => Err(PolicyLineError::SecondQuorum),
        }
    }

    /// A key that no earlier line has: one secret in two places would count twice, or speak in two roles.
    fn new_key(&self, key: &str, kind: SignatureType) -> LineResult<VerifierKey> {
        let key = VerifierKey::parse(key)?;
        if key.signature_type() != kind {
            return Err(PolicyLineError::KeyType);
        }
        let logs = self.logs.iter().map(|log| &log.key);
        let mut keys = logs.chain(self.witnesses.iter().map(|witness| &witness.key));
        if keys.any(|other| other.public_key() == key.public_key()) {
            return Err(PolicyLineError::KeyTwice);
        }
        Ok(key)
    }

    fn define(&mut self, name: &str, kind: DefinedKind) -> LineResult {
        if name == NONE || self.place_of(name).is_ok() {
            return Err(PolicyLineError::NameTaken);
        }
        let name = name.to_owned();
        self.defined.push(Defined { name, kind });
        Ok(())
    }

    fn place_of(&self, name: &str) -> LineResult<usize> {
        let place = self.defined.iter().position(|defined| defined.name == name);
        place.ok_or(PolicyLineError::NameUnknown)
    }
}

fn push<T>(list: &mut Vec<T>, item: T, max: usize) -> LineResult {
    if list.len() == max {
        return Err(PolicyLineError::TooMany);
    }
    list.push(item);
    Ok(())
}
