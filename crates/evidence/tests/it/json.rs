//! A leaf has one spelling, and its fields the types that are asked for.

use eunoe_evidence::{JSON_NUMBER_MAX, JsonError, Object};
use proptest::prelude::*;

#[test]
fn fields_are_typed() {
    let leaf = br#"{"boot":"AAEC","destroyed":[41],"host":{"mlock":true,"swap":"off"},"node":2,"slots_after":[[42,1]],"t":"eunoe/holder-attest@v1"}"#;
    let leaf = Object::parse(leaf).unwrap();
    assert_eq!(leaf.text("t").unwrap(), "eunoe/holder-attest@v1");
    assert_eq!(leaf.number("node").unwrap(), 2);
    assert_eq!(leaf.numbers("destroyed").unwrap(), [41]);
    assert_eq!(leaf.bytes("boot").unwrap(), [0, 1, 2]);
    assert_eq!(leaf.array::<3>("boot").unwrap(), [0, 1, 2]);
    assert!(leaf.object("host").unwrap().flag("mlock").unwrap());
    let slots = leaf.list("slots_after").unwrap();
    assert_eq!(slots[0].as_list().unwrap()[1].as_number(), Some(1));
    let name = "host".to_owned();
    assert_eq!(
        leaf.expect_only(&["boot", "destroyed", "node", "slots_after", "t"]),
        Err(JsonError::Unknown { name })
    );
    assert_eq!(
        leaf.number("epoch").unwrap_err().to_string(),
        "no field \"epoch\""
    );
    for (error, text) in [
        (leaf.number("t").unwrap_err(), "the field \"t\" is not a number"),
        (leaf.text("node").unwrap_err(), "the field \"node\" is not a text"),
        (
            leaf.flag("node").unwrap_err(),
            "the field \"node\" is not true or false",
        ),
        (
            leaf.bytes("t").unwrap_err(),
            "the field \"t\" is not canonical base64",
        ),
        (
            leaf.array::<4>("boot").unwrap_err(),
            "the field \"boot\" is not canonical base64 of its length",
        ),
        (
            leaf.numbers("slots_after").unwrap_err(),
            "the field \"slots_after\" is not a list of numbers",
        ),
        (
            leaf.objects("slots_after").unwrap_err(),
            "the field \"slots_after\" is not a list of objects",
        ),
        (leaf.list("node").unwrap_err(), "the field \"node\" is not a list"),
        (
            leaf.object("node").unwrap_err(),
            "the field \"node\" is not an object",
        ),
    ] {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn canonical_documents_are_read() {
    for text in [
        "{}",
        r#"{"a":{},"b":[],"c":[0,"",true,false,{}]}"#,
        r#"{"A":1,"B":2,"a":3}"#,
        r#"{"a":9007199254740991}"#,
        r#"{"a":[[[[[[[]]]]]]]}"#,
        r#"{" !~":" !~'/"}"#,
    ] {
        assert_eq!(Object::parse(text.as_bytes()).unwrap().to_string(), text);
    }
    assert_eq!(JSON_NUMBER_MAX, 9_007_199_254_740_991);
}

#[test]
fn every_other_spelling_is_refused() {
    for text in [
        "",
        " ",
        "1",
        "[]",
        "null",
        "\"\"",
        "{",
        "{} ",
        " {}",
        "{}{}",
        "{}\n",
        "\u{feff}{}",
        "{,}",
        r#"{"a":1,}"#,
        r#"{"a":1 }"#,
        r#"{"a": 1}"#,
        r#"{"a" :1}"#,
        r#"{ "a":1}"#,
        r#"{"a":1,"a":1}"#,
        r#"{"b":1,"a":1}"#,
        r#"{"a":1"b":2}"#,
        r#"{"a":}"#,
        r#"{"a"}"#,
        r#"{a:1}"#,
        r#"{'a':1}"#,
        r#"{"":1}"#,
        r#"{"a":01}"#,
        r#"{"a":00}"#,
        r#"{"a":-1}"#,
        r#"{"a":-0}"#,
        r#"{"a":+1}"#,
        r#"{"a":1.0}"#,
        r#"{"a":1e3}"#,
        r#"{"a":.5}"#,
        r#"{"a":9007199254740992}"#,
        r#"{"a":99999999999999999999999}"#,
        r#"{"a":null}"#,
        r#"{"a":True}"#,
        r#"{"a":tru}"#,
        r#"{"a":"\u0041"}"#,
        r#"{"a":"\n"}"#,
        r#"{"a":"\""}"#,
        r#"{"a":"é"}"#,
        r#"{"é":1}"#,
        "{\"a\":\"\u{7f}\"}",
        "{\"a\":\"\t\"}",
        "{\"a\":\"",
        r#"{"a":[1,]}"#,
        r#"{"a":[,1]}"#,
        r#"{"a":[1 ,2]}"#,
        r#"{"a":[1}"#,
        r#"{"a":{"b":1]}"#,
        r#"{"a":[[[[[[[[]]]]]]]]}"#,
        "{\"a\":1}\0",
        "{\"a\":1/**/}",
    ] {
        assert!(Object::parse(text.as_bytes()).is_err(), "{text}");
    }
    let too_long = format!("{{\"a\":\"{}\"}}", "x".repeat(65_535 - 7));
    assert_eq!(Object::parse(too_long.as_bytes()), Err(JsonError::TooLong));
    assert!(Object::parse(&[&too_long.as_bytes()[..65_533], b"\"}"].concat()).is_ok());
    let deep = format!("{{\"a\":{}", "[".repeat(60_000));
    assert_eq!(Object::parse(deep.as_bytes()), Err(JsonError::Depth));
}

proptest! {
    #[test]
    fn what_is_read_is_written_the_same(text in "\\{(\"[ab]{0,2}\":([0-9]{1,17}|\"[a-z ]{0,3}\"|\\[[0-9],[0-9]\\]|true|\\{\\}),?){0,3}\\}") {
        if let Ok(object) = Object::parse(text.as_bytes()) {
            prop_assert_eq!(object.to_string(), text);
        }
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Object::parse(&bytes);
    }
}
