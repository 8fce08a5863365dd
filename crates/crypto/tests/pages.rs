//! What pages and rows of the key trees promise: they open at their place under their key, and are refused everywhere else
//! and after any change.

mod common;

use common::*;
use eunoe_crypto::{
    ChildKeys, LeafName, Levels, MetaPage, OpenError, PageId, PageKeys, RowHeader, RowTag, Tree,
};
use eunoe_types::{Kid, Realm};

const HEADER: RowHeader = RowHeader {
    generation: 3,
    version: 2,
};
/// Bytes of a header that are not sealed: the suite and the generation; a row has its version there, too.
const OPEN_BYTES_PAGE: usize = 1 + 4;

fn keys() -> PageKeys {
    PageKeys::derive(&key(9))
}

fn leaf() -> PageId {
    levels().leaf(&name())
}

fn levels() -> Levels {
    Levels::new(2).expect("a depth")
}

fn name() -> LeafName {
    LeafName::Key(Kid([7; 16]))
}

fn row() -> Vec<u8> {
    let content = secret(b"a record of a key");
    let tag = keys().tag(&name());
    let sealed = keys().seal_row(REALM, leaf(), tag, HEADER, &content, &mut Seeded::new(1));
    sealed.expect("seals")
}

fn page() -> Vec<u8> {
    let children = ChildKeys::generate(&mut Seeded::new(2)).expect("generates");
    let top = PageId::top(Tree::Key);
    let sealed = keys().seal_page(REALM, top, 3, &children, &mut Seeded::new(3));
    sealed.expect("seals")
}

fn meta() -> Vec<u8> {
    let meta = MetaPage {
        locator_root: key(4),
        log_key: key(6),
    };
    meta.seal(&keys(), REALM, 3, &mut Seeded::new(5)).expect("seals")
}

fn open_row(sealed: &[u8]) -> Result<(), OpenError> {
    let opened = keys().open_row(REALM, leaf(), keys().tag(&name()), sealed)?;
    assert_eq!(
        opened.content.expose(),
        b"a record of a key",
        "another text was opened"
    );
    Ok(())
}

fn open_page(sealed: &[u8]) -> Result<(), OpenError> {
    let opened = keys().open_page(REALM, PageId::top(Tree::Key), sealed);
    opened.map(drop)
}

fn open_meta(sealed: &[u8]) -> Result<(), OpenError> {
    MetaPage::open(&keys(), REALM, sealed).map(drop)
}

#[test]
fn e17_a_row_of_a_key_tree_opens_at_no_other_place_and_under_no_other_key() {
    let (sealed, tag) = (row(), keys().tag(&name()));
    assert!(open_row(&sealed).is_ok());
    let other_page = PageId {
        index: leaf().index ^ 1,
        ..leaf()
    };
    let other_tree = PageId {
        tree: Tree::Index,
        ..leaf()
    };
    let above = PageId { level: 1, ..leaf() };
    let moved = [
        (Realm([1; 16]), leaf(), tag),
        (REALM, other_page, tag),
        (REALM, other_tree, tag),
        (REALM, above, tag),
        (REALM, leaf(), RowTag([8; 16])),
        (REALM, leaf(), keys().tag(&LeafName::Key(Kid([8; 16])))),
    ];
    for (realm, page, tag) in moved {
        assert!(keys().open_row(realm, page, tag, &sealed).is_err(), "{page:?}");
    }
    let other = PageKeys::derive(&key(10));
    assert!(other.open_row(REALM, leaf(), tag, &sealed).is_err());
    // What a row says of itself in the open is part of what is sealed: an old version cannot call itself new.
    for at in 1..=8 {
        let mut relabelled = sealed.clone();
        relabelled[at] ^= 1;
        assert!(open_row(&relabelled).is_err(), "byte {at}");
    }
    // Two rows of one page, exchanged.
    let second = LeafName::Key(Kid([6; 16]));
    let (content, second) = (secret(b"another record"), keys().tag(&second));
    let other = keys().seal_row(REALM, leaf(), second, HEADER, &content, &mut Seeded::new(6));
    let other = other.expect("seals");
    assert!(keys().open_row(REALM, leaf(), second, &sealed).is_err());
    assert!(keys().open_row(REALM, leaf(), tag, &other).is_err());
}

#[test]
fn e17_a_page_opens_at_no_other_place_and_under_no_other_key() {
    let (sealed, top) = (page(), PageId::top(Tree::Key));
    assert!(open_page(&sealed).is_ok() && open_meta(&meta()).is_ok());
    for page in [PageId::top(Tree::Index), top.child(0), top.child(1), PageId::META] {
        assert!(keys().open_page(REALM, page, &sealed).is_err(), "{page:?}");
    }
    let other = PageKeys::derive(&key(10));
    assert!(other.open_page(REALM, top, &sealed).is_err());
    assert!(keys().open_page(Realm([1; 16]), top, &sealed).is_err());
    assert!(MetaPage::open(&other, REALM, &meta()).is_err());
    assert!(MetaPage::open(&keys(), Realm([1; 16]), &meta()).is_err());
    // One kind of page in the place of another.
    assert!(open_meta(&sealed).is_err() && open_page(&meta()).is_err());
    assert!(open_row(&sealed).is_err() && open_page(&row()).is_err());
    for at in 1..OPEN_BYTES_PAGE {
        let mut relabelled = sealed.clone();
        relabelled[at] ^= 1;
        assert!(open_page(&relabelled).is_err(), "byte {at} of the generation");
    }
}

#[test]
fn e18_every_flipped_bit_cut_and_extension_of_a_page_or_row_is_refused() {
    type Open = fn(&[u8]) -> Result<(), OpenError>;
    let kinds: [(&str, Vec<u8>, Open); 3] = [
        ("row", row(), open_row),
        ("page", page(), open_page),
        ("meta", meta(), open_meta),
    ];
    for (kind, sealed, open) in kinds {
        assert!(open(&sealed).is_ok(), "{kind}");
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&changed).is_err(), "bit {bit} of a {kind}");
        }
        for len in 0..sealed.len() {
            assert!(open(&sealed[..len]).is_err(), "a {kind} cut to {len}");
        }
        for more in [1, 16, 64] {
            let longer = [&sealed[..], &vec![0; more]].concat();
            assert!(open(&longer).is_err(), "a {kind} with {more} more");
        }
    }
}
