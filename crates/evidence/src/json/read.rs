//! The reader: one pass, one byte of looking ahead, a bound on its own depth.

use super::{JSON_DEPTH_MAX, JSON_NUMBER_MAX, JsonError, Object, Value};

pub(super) fn document(bytes: &[u8], bytes_max: usize) -> Result<Object<'_>, JsonError> {
    if bytes.len() > bytes_max {
        return Err(JsonError::TooLong);
    }
    let mut reader = Reader { bytes, at: 0 };
    let object = reader.object(1)?;
    if reader.at == bytes.len() {
        Ok(object)
    } else {
        Err(reader.syntax())
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A value `depth` objects and lists deep, if it is one of them.
    fn value(&mut self, depth: usize) -> Result<Value<'a>, JsonError> {
        match self.peek() {
            Some(b'{') => Ok(Value::Object(self.object(depth)?)),
            Some(b'[') => Ok(Value::List(self.list(depth)?)),
            Some(b'"') => Ok(Value::Text(self.text()?)),
            Some(b'0'..=b'9') => Ok(Value::Number(self.number()?)),
            Some(b't') => self.word(b"true").map(|()| Value::Flag(true)),
            Some(b'f') => self.word(b"false").map(|()| Value::Flag(false)),
            _ => Err(self.syntax()),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Object<'a>, JsonError> {
        let mut fields: Vec<(&'a str, Value<'a>)> = Vec::new();
        self.items(b"{}", depth, |reader| {
            let name = reader.text()?;
            let before = fields.last().map_or("", |(name, _)| name);
            if name <= before {
                let name = name.to_owned();
                return Err(JsonError::Order { name });
            }
            reader.expect(b':')?;
            fields.push((name, reader.value(depth + 1)?));
            Ok(())
        })?;
        Ok(Object { fields })
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Value<'a>>, JsonError> {
        let mut values = Vec::new();
        self.items(b"[]", depth, |reader| {
            values.push(reader.value(depth + 1)?);
            Ok(())
        })?;
        Ok(values)
    }

    /// Items with commas between them, inside of a pair of brackets.
    fn items(
        &mut self,
        [open, close]: &[u8; 2],
        depth: usize,
        mut item: impl FnMut(&mut Self) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        if depth > JSON_DEPTH_MAX {
            return Err(JsonError::Depth);
        }
        self.expect(*open)?;
        if self.peek() == Some(*close) {
            return self.expect(*close);
        }
        loop {
            item(self)?;
            if self.peek() == Some(*close) {
                return self.expect(*close);
            }
            self.expect(b',')?;
        }
    }

    fn text(&mut self) -> Result<&'a str, JsonError> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') | None => return Err(JsonError::Text { at: self.at }),
                Some(b' '..=b'~') => self.at += 1,
                Some(_) => return Err(JsonError::Text { at: self.at }),
            }
        }
        let text = std::str::from_utf8(&self.bytes[start..self.at]);
        self.expect(b'"')?;
        text.map_err(|_| JsonError::Text { at: start })
    }

    fn number(&mut self) -> Result<u64, JsonError> {
        let start = self.at;
        let mut number = 0_u64;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            self.at += 1;
            // Cannot overflow: it was at most 2^53 before.
            number = number * 10 + u64::from(digit - b'0');
            let leading_zero = self.at - start > 1 && self.bytes[start] == b'0';
            if leading_zero || number > JSON_NUMBER_MAX {
                return Err(JsonError::Number { at: self.at });
            }
        }
        Ok(number)
    }

    fn word(&mut self, word: &[u8]) -> Result<(), JsonError> {
        word.iter().try_for_each(|byte| self.expect(*byte))
    }

    fn expect(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.peek() != Some(byte) {
            return Err(self.syntax());
        }
        self.at += 1;
        Ok(())
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn syntax(&self) -> JsonError {
        JsonError::Syntax { at: self.at }
    }
}
