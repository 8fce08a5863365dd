//! Sealed pages as fuzzers open them.

use eunoe_types::Realm;
use eunoe_types::fuzzing::Bytes;

use super::{MetaPage, PageId, PageKeys, Tree};
use crate::{Entropy, EntropyError, SecretBytes, SecretKey};

const REALM: Realm = Realm([7; 16]);

/// The same nonce every time: what is sealed here is kept nowhere.
struct Fixed;

impl Entropy for Fixed {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        out.fill(5);
        Ok(())
    }
}

fn keys() -> PageKeys {
    PageKeys::derive(&SecretKey::from_bytes(&[3; SecretKey::BYTES]))
}

fn sealed(page: PageId, content: &[u8]) -> Vec<u8> {
    let sealed = keys().seal_content(REALM, page, 1, &SecretBytes::from(content), &mut Fixed);
    sealed.expect("a page of any content is sealed")
}

/// Bytes that nobody sealed do not open, as any page.
pub(crate) fn forged_page(bytes: &Bytes) -> bool {
    let page = keys().open_page(REALM, PageId::top(Tree::Key), bytes).is_ok();
    let meta = MetaPage::open(&keys(), REALM, bytes).is_ok();
    assert!(!page && !meta, "a page that nobody sealed was opened");
    false
}

/// Any content under the right key: what opens is what its keys encode to.
pub(crate) fn page_content(bytes: &Bytes) -> bool {
    let page = PageId::top(Tree::Key);
    let Ok(opened) = keys().open_page(REALM, page, &sealed(page, bytes)) else {
        return false;
    };
    let again = keys().seal_page(REALM, page, 1, &opened.children, &mut Fixed);
    assert_eq!(again, Ok(sealed(page, bytes)), "a page has two forms");
    true
}

/// The same for the page that the trees share.
pub(crate) fn meta_content(bytes: &Bytes) -> bool {
    let Ok((generation, opened)) = MetaPage::open(&keys(), REALM, &sealed(PageId::META, bytes)) else {
        return false;
    };
    let again = opened.seal(&keys(), REALM, generation, &mut Fixed);
    assert_eq!(
        again,
        Ok(sealed(PageId::META, bytes)),
        "the meta page has two forms"
    );
    true
}
