#!/usr/bin/env bash
# Shows the promises on this machine: three nodes, a chat file, a leader killed in the middle of the import, every node
# giving the same words back, and two visitors erased, of whom no node gives a word back.
# Usage: scripts/demo.sh [FILE.jsonl[.gz]]. Leaves nothing running and nothing behind.
set -euo pipefail
cd "$(dirname "$0")/.."
chats="$(realpath "${1:-data/sample-chats.jsonl}")"
[ -r "$chats" ] || { echo "there is no file $chats" >&2; exit 2; }

begun=$SECONDS
say() { printf '[%3d s] %s\n' "$((SECONDS - begun))" "$*"; }
fail() { say "FAILED: $*" >&2; exit 1; }

say "building (the first time compiles RocksDB, which takes a while)"
scripts/build.sh
. scripts/env.sh
eunoe() { "$CARGO_TARGET_DIR/debug/eunoe" --output json "$@"; }
json() { python3 -c 'import json, sys; d = json.load(sys.stdin); print(eval(sys.argv[1], {"d": d}))' "$1"; }

dir="$(mktemp -d "${TMPDIR:-/tmp}/eunoe-demo.XXXXXX")"
export EUNOE_CONTEXT="$dir/context.toml"
import_pid=
cleanup() {
    local code=$?
    trap - EXIT
    if [ -n "$import_pid" ]; then
        kill -CONT "$import_pid" 2>/dev/null || true
        kill "$import_pid" 2>/dev/null || true
    fi
    eunoe dev stop --dir "$dir" >/dev/null 2>&1 || true
    if [ "$code" -eq 0 ]; then rm -rf "$dir"; else echo "data and logs are kept in $dir" >&2; fi
    exit "$code"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

say "starting three nodes, each a process of its own, under $dir"
# With a long period between epochs nothing but what is urgent gets beyond FENCED while we look at it.
eunoe dev --nodes 3 --dir "$dir" --epoch-period 3600 --detach >/dev/null
status() { eunoe cluster status --role operator "$@"; }
applied() { status | json 'sum(g["applied"] for g in d["groups"] if g["kind"] == "data")'; }
say "they serve: $(json '", ".join(d["endpoints"])' <"$dir/ready.json")"

# A small file would be in before the blow: its conversations are repeated, each time under other names.
size="$(python3 - "$chats" "$dir" <<'PY'
import gzip, json, sys
path, out = sys.argv[1:]
opened = gzip.open if path.endswith(".gz") else open
with opened(path, "rt", encoding="utf-8") as lines:
    chats = [json.loads(line) for line in lines if line.strip()]
if not chats:
    sys.exit("there is no conversation in the file")
copies = -(-5000 // max(1, sum(len(chat["turns"]) for chat in chats)))
chats += [{**chat, "id": f"{chat['id']}~{copy}"} for copy in range(1, copies) for chat in chats]
with open(f"{out}/chats.jsonl", "w", encoding="utf-8") as file:
    for chat in chats:
        file.write(json.dumps(chat, ensure_ascii=False) + "\n")
with open(f"{out}/refs", "w") as refs:
    for number, at in enumerate(sorted({0, len(chats) // 2, len(chats) - 1})):
        refs.write(f"{number} {chats[at]['id']}\n")
        with open(f"{out}/expected.{number}", "w") as expected:
            json.dump([[turn["from"], turn["text"]] for turn in chats[at]["turns"]], expected)
# Three people: one is fenced, one destroyed, one stays.
people = {}
for chat in chats:
    if len(people) < 3 and chat["turns"]:
        people.setdefault(chat.get("visitor") or f"visitor/{chat['id']}", chat)
if len(people) < 3:
    sys.exit("the file has conversations of fewer than three visitors")
for role, (subject, chat) in zip(["fenced", "destroyed", "kept"], people.items()):
    with open(f"{out}/{role}.subject", "w", encoding="utf-8") as file:
        file.write(subject)
    with open(f"{out}/{role}.ref", "w", encoding="utf-8") as file:
        file.write(chat["id"])
    with open(f"{out}/expected.{role}", "w") as expected:
        json.dump([[turn["from"], turn["text"]] for turn in chat["turns"]], expected)
messages = sum(len(chat["turns"]) for chat in chats)
with open(f"{out}/messages", "w") as size:
    size.write(f"{messages}\n")
print(f"{len(chats)} conversations, {messages} messages")
PY
)"
messages="$(cat "$dir/messages")"

say "importing $chats ($size)"
before="$(applied)"
eunoe import "$dir/chats.jsonl" --tenant demo >"$dir/imported.json" &
import_pid=$!
# The import stands still while we look, so that it cannot be over before the blow.
while :; do
    sleep 0.05
    kill -STOP "$import_pid" 2>/dev/null || fail "the import ended before the leader could be killed"
    [ "$(applied)" -gt "$before" ] && break
    kill -CONT "$import_pid"
done
leader="$(status | json 'next(g["leader"] for g in d["groups"] if g["kind"] == "data" and g["leader"])')"
pid="$(json "d['pids'][d['ids'].index($leader)]" <"$dir/ready.json")"
kill -9 "$pid"
kill -CONT "$import_pid"
say "killed node $leader (pid $pid), leader of a data group, with -9 in the middle of the import"

wait "$import_pid" || fail "the import did not survive the death of a leader"
import_pid=
counted() { json "d['messages'], d['already_stored']" <"$1" | tr -d '(),'; }
read -r added retried <<<"$(counted "$dir/imported.json")"
[ $((added + retried)) -eq "$messages" ] || fail "the import accounts for $((added + retried)) messages of $messages"
say "the import finished: $added messages, and $retried that a retry found stored when the first answer was lost"

eunoe dev start-node "$leader" --dir "$dir" >/dev/null
say "started node $leader again on its own data"

eunoe import "$dir/chats.jsonl" --tenant demo >"$dir/again.json"
read -r added known <<<"$(counted "$dir/again.json")"
[ "$added" -eq 0 ] && [ "$known" -eq "$messages" ] || fail "importing again added $added messages and knew $known"
say "imported the file again: all $known messages were known, nothing was added"

# Whether the lines of a `read` are a conversation of the file, word for word and in order.
intact() {
    python3 - "$1" "$2" <<'PY'
import json, sys
with open(sys.argv[1], encoding="utf-8") as lines:
    rows = [json.loads(line) for line in lines]
with open(sys.argv[2]) as text:
    expected = json.load(text)
got = [[row["from"], row.get("text")] for row in rows]
gap_free = [row["seq"] for row in rows] == list(range(1, len(expected) + 1))
sys.exit(0 if got == expected and gap_free else 1)
PY
}
# Whether every line of it is in its place, and none has a word.
erased() {
    python3 - "$1" "$2" <<'PY'
import json, sys
with open(sys.argv[1], encoding="utf-8") as lines:
    rows = [json.loads(line) for line in lines]
with open(sys.argv[2]) as text:
    expected = json.load(text)
gap_free = [row["seq"] for row in rows] == list(range(1, len(expected) + 1))
silent = all(row["state"] == "ERASED" and "text" not in row for row in rows)
sys.exit(0 if gap_free and silent else 1)
PY
}
read_of() { eunoe read --tenant demo --node "$1" "${@:2}"; }

for node in 1 2 3; do
    while read -r number ref; do
        read_of "$node" --ref "$ref" >"$dir/read.$node.$number"
        intact "$dir/read.$node.$number" "$dir/expected.$number" || fail "node $node gave other words for $ref"
    done <"$dir/refs"
    say "node $node gives $(wc -l <"$dir/refs") conversations back, word for word and in order"
done

# All three can be read before anybody is erased, else their silence afterwards would mean nothing.
for role in fenced destroyed kept; do
    ref="$(cat "$dir/$role.ref")"
    eunoe conversation show --tenant demo --ref "$ref" | json 'd["id"]' >"$dir/$role.id"
    for node in 1 2 3; do
        read_of "$node" --ref "$ref" >"$dir/before"
        intact "$dir/before" "$dir/expected.$role" || fail "node $node gave other words for $ref before the erasures"
    done
done
erase() { eunoe subject erase --tenant demo --wait "$1" "${@:2}" -- "$(cat "$dir/$1.subject")"; }
kept_is_intact() {
    for node in 1 2 3; do
        read_of "$node" --ref "$(cat "$dir/kept.ref")" >"$dir/after"
        intact "$dir/after" "$dir/expected.kept" || fail "node $node lost words of $(cat "$dir/kept.subject"), whom nobody erased"
    done
    say "every node gives the conversation of $(cat "$dir/kept.subject"), whom nobody erased, word for word"
}

erase fenced >"$dir/fenced.json"
[ "$(json 'd["status"]' <"$dir/fenced.json")" = FENCED ] || fail "the erasure is not FENCED: $(cat "$dir/fenced.json")"
say "erased $(cat "$dir/fenced.subject"): FENCED"
for node in 1 2 3; do
    read_of "$node" --ref "$(cat "$dir/fenced.ref")" >"$dir/after"
    erased "$dir/after" "$dir/expected.fenced" || fail "node $node does not give ERASED in every place of $(cat "$dir/fenced.ref")"
    say "node $node gives the same conversation with ERASED in each of its $(wc -l <"$dir/after") places"
done
kept_is_intact

erase destroyed --urgent --ticket "$dir/ticket" >"$dir/destroyed.json"
[ "$(json 'd["status"]' <"$dir/destroyed.json")" = DESTROYED ] || fail "the erasure is not DESTROYED: $(cat "$dir/destroyed.json")"
say "erased $(cat "$dir/destroyed.subject"), urgently: DESTROYED"
for node in 1 2 3; do
    read_of "$node" --id "$(cat "$dir/destroyed.id")" >"$dir/after"
    erased "$dir/after" "$dir/expected.destroyed" || fail "node $node does not give ERASED in every place of $(cat "$dir/destroyed.id")"
    if read_of "$node" --ref "$(cat "$dir/destroyed.ref")" >"$dir/after" 2>"$dir/refused"; then
        fail "node $node still finds the conversation by its reference"
    fi
    [ "$(json 'd["error"]["code"]' <"$dir/refused")" = NOT_FOUND ] || fail "node $node said $(cat "$dir/refused")"
    say "node $node gives ERASED in each place by the conversation's id, and knows its reference no more"
done
kept_is_intact

request="$(json 'd["request"]' <"$dir/destroyed.json")"
eunoe erasure show --tenant demo "$request" >"$dir/shown.json"
complete='d["status"] == "DESTROYED" and d["keys_left"] == 0 and all(leg["state"] == "DONE" for leg in d["legs"])'
[ "$(json "$complete" <"$dir/shown.json")" = True ] || fail "the erasure is not complete: $(cat "$dir/shown.json")"
shown="$(json '"{status}({grade}), {keys} keys, missing nodes {missing}".format(**d)' <"$dir/shown.json")"
say "erasure show: $shown"

eunoe erasure receipt --tenant demo "$request" -o "$dir/receipt"
eunoe audit policy -o "$dir/policy"
eunoe dev stop --dir "$dir" >/dev/null
say "stopped all nodes"
eunoe verify receipt "$dir/receipt" --policy "$dir/policy" --ticket "$dir/ticket" >"$dir/verdict.json"
verdict='"{kind} key destroyed ({grade}), signed by nodes {attested}, log signed by {cosigners}".format(**d)'
say "the receipt ($(wc -c <"$dir/receipt") bytes) is valid without them: $(json "$verdict" <"$dir/verdict.json")"
say "done"
