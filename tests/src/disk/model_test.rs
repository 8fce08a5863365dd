use super::*;
use crate::disk::file::SECTOR_BYTES;

fn name(text: &str) -> &OsStr {
    OsStr::new(text)
}

fn file() -> Content {
    Content::File(File::default())
}

/// A disk with one durable file of the bytes `before`, and its number.
fn with_file() -> (Model, u64) {
    let mut model = Model::new();
    let number = model.create(ROOT, name("file"), file(), 0o600).unwrap();
    model.write(number, 0, b"before".to_vec()).unwrap();
    model.sync(number).unwrap();
    model.sync(ROOT).unwrap();
    (model, number)
}

fn content<'a>(model: &'a Model, of: &str) -> Answer<&'a [u8]> {
    model.read(model.find(ROOT, name(of))?, 0, 1_000_000)
}

#[test]
fn what_was_synced_is_there_after_a_crash_and_nothing_else() {
    let (mut model, number) = with_file();
    model.write(number, 3, b"after and longer".to_vec()).unwrap();
    assert_eq!(content(&model, "file"), Ok(&b"befafter and longer"[..]));
    model.crash(None);
    assert_eq!(content(&model, "file"), Ok(&b"before"[..]));
    model.set_len(number, 2).unwrap();
    model.sync(number).unwrap();
    model.set_len(number, 4).unwrap();
    model.crash(None);
    assert_eq!(content(&model, "file"), Ok(&b"be"[..]));
}

#[test]
fn a_name_is_durable_when_its_directory_was_synced_and_a_file_is_not_with_its_name() {
    let (mut model, _) = with_file();
    let synced = model.create(ROOT, name("unnamed"), file(), 0o600).unwrap();
    model.write(synced, 0, b"synced".to_vec()).unwrap();
    model.sync(synced).unwrap();
    model.crash(None);
    assert_eq!(content(&model, "unnamed"), Err(Errno::NOENT));
    let named = model.create(ROOT, name("named"), file(), 0o600).unwrap();
    model.write(named, 0, b"not synced".to_vec()).unwrap();
    model.sync(ROOT).unwrap();
    model.crash(None);
    assert_eq!(content(&model, "named"), Ok(&b""[..]));
    model.remove(ROOT, name("file")).unwrap();
    model.crash(None);
    assert_eq!(content(&model, "file"), Ok(&b"before"[..]));
    model.remove(ROOT, name("file")).unwrap();
    model.sync(ROOT).unwrap();
    model.crash(None);
    assert_eq!(content(&model, "file"), Err(Errno::NOENT));
}

#[test]
fn a_rename_between_directories_happens_in_both_or_in_none() {
    let (mut model, number) = with_file();
    let dir = model
        .create(ROOT, name("dir"), Content::Dir(Dir::default()), 0o700)
        .unwrap();
    model.sync(ROOT).unwrap();
    let moved = |model: &Model| (model.find(ROOT, name("file")), model.find(dir, name("moved")));
    let rename = |model: &mut Model| model.rename((ROOT, name("file")), (dir, name("moved")), true);
    rename(&mut model).unwrap();
    model.crash(None);
    assert_eq!(moved(&model), (Ok(number), Err(Errno::NOENT)));
    rename(&mut model).unwrap();
    model.sync(dir).unwrap();
    model.crash(None);
    assert_eq!(moved(&model), (Err(Errno::NOENT), Ok(number)));
    assert_eq!(model.remove(ROOT, name("dir")), Err(Errno::NOTEMPTY));
}

#[test]
fn a_replaced_file_is_back_when_the_rename_was_not_synced() {
    let (mut model, _) = with_file();
    let new = model.create(ROOT, name("new"), file(), 0o600).unwrap();
    model.write(new, 0, b"new".to_vec()).unwrap();
    model.sync(new).unwrap();
    model
        .rename((ROOT, name("new")), (ROOT, name("file")), true)
        .unwrap();
    assert_eq!(content(&model, "file"), Ok(&b"new"[..]));
    model.crash(None);
    assert_eq!(content(&model, "file"), Ok(&b"before"[..]));
}

#[test]
fn a_file_with_two_names_outlives_one_of_them_and_an_open_one_its_last() {
    let (mut model, number) = with_file();
    model.link(number, ROOT, name("second")).unwrap();
    assert_eq!(model.inode(number).unwrap().links, 2);
    model.remove(ROOT, name("file")).unwrap();
    assert_eq!(content(&model, "second"), Ok(&b"before"[..]));
    model.open(number).unwrap();
    model.remove(ROOT, name("second")).unwrap();
    model.sync(ROOT).unwrap();
    assert_eq!(model.read(number, 0, 6), Ok(&b"before"[..]));
    model.close(number);
    assert_eq!(model.read(number, 0, 6), Err(Errno::STALE));
}

#[test]
fn a_torn_write_is_torn_at_sectors_and_what_came_before_it_is_whole() {
    let mut seen = BTreeSet::new();
    for seed in 0..200 {
        let (mut model, number) = with_file();
        model.write(number, 0, vec![1; 100]).unwrap();
        model.write(number, 0, vec![2; 4 * SECTOR_BYTES]).unwrap();
        model.crash(Some(Random::from_seed(seed)));
        let after = content(&model, "file").unwrap();
        let (sectors, rest) = after.as_chunks::<SECTOR_BYTES>();
        assert!(sectors.iter().all(|sector| *sector == [2; SECTOR_BYTES]
            || *sector == [0; SECTOR_BYTES]
            || sector.starts_with(b"before")
            || sector.starts_with(&[1; 100])));
        assert!(rest == b"before" || rest == [1; 100] || rest.is_empty());
        seen.insert(after.to_vec());
    }
    // Nothing of it, one write, both, and parts of the second.
    assert!(seen.len() > 5, "{}", seen.len());
}

#[test]
fn a_sync_that_is_ignored_or_fails_keeps_nothing() {
    let (mut model, number) = with_file();
    model.faults.failing_syncs = 1;
    model.write(number, 0, b"failed".to_vec()).unwrap();
    assert_eq!(model.sync(number), Err(Errno::IO));
    // The system has forgotten that it was to be written.
    assert_eq!(model.sync(number), Ok(()));
    assert_eq!(content(&model, "file"), Ok(&b"failed"[..]));
    model.crash(None);
    assert_eq!(content(&model, "file"), Ok(&b"before"[..]));
    model.faults.ignores_sync = true;
    model.write(number, 0, b"ignore".to_vec()).unwrap();
    assert_eq!(model.sync(number), Ok(()));
    model.crash(None);
    assert_eq!(content(&model, "file"), Ok(&b"before"[..]));
}

#[test]
fn a_full_disk_takes_what_needs_no_space() {
    let (mut model, number) = with_file();
    model.faults.bytes_max = Some(model.bytes() + BLOCK_BYTES);
    assert_eq!(model.write(number, 0, vec![1; 2 * BLOCK_BYTES as usize]), Ok(()));
    assert_eq!(model.write(number, 2 * BLOCK_BYTES, vec![1]), Err(Errno::NOSPC));
    assert_eq!(model.write(number, BLOCK_BYTES, vec![2]), Ok(()));
    assert_eq!(model.create(ROOT, name("more"), file(), 0o600), Err(Errno::NOSPC));
    model.remove(ROOT, name("file")).unwrap();
    model.sync(ROOT).unwrap();
    assert!(model.create(ROOT, name("more"), file(), 0o600).is_ok());
}
