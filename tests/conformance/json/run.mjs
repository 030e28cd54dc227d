// Differential test: our JSON codec against @bufbuild/protobuf, both ways, over generated messages.
// node run.mjs --pipe codec_pipe --descriptors kinds.binpb,kinds2.binpb [--count N] [--seed S]
// Then mutants of texts and of packed bytes: what we take, the other side takes and reads alike. Two
// differences are intended, both as in Go: a number that a proto2 enum does not name is kept and
// written as a number, and an integer in quotes may have an exponent; here both are refused in JSON.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const args = Object.fromEntries(process.argv.slice(2).reduce((list, word, i, all) =>
  word.startsWith("--") ? [...list, [word.slice(2), all[i + 1]]] : list, []));
let protobuf;
try {
  protobuf = { ...await import("@bufbuild/protobuf"), ...await import("@bufbuild/protobuf/wkt") };
} catch {
  console.log("skipped: @bufbuild/protobuf is not installed (npm install in this folder)");
  process.exit(77);
}
const { create, createFileRegistry, fromBinary, fromJsonString, toBinary, toJsonString,
        FileDescriptorSetSchema, anyPack, equals, ScalarType } = protobuf;

const count = Number(args.count ?? 10000);
let seed = Number(args.seed ?? 20260101) >>> 0;
console.log(`seed ${seed}, ${count} messages`);
const random = () => ((seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) >>> 8) / 2 ** 24;
const below = (n) => Math.floor(random() * n);
const pick = (list) => list[below(list.length)];

const descriptors = args.descriptors.split(",");
const set = create(FileDescriptorSetSchema);
for (const path of descriptors) {
  for (const file of fromBinary(FileDescriptorSetSchema, readFileSync(path)).file) {
    if (!set.file.some((other) => other.name === file.name)) set.file.push(file);
  }
}
const registry = createFileRegistry(set);
const names = ["Singular", "Optional", "Repeated", "Unpacked", "Maps", "Choice", "Outer", "Node",
               "WellKnown", "Names", "Nothing"];
const names2 = ["Required", "Defaults", "Lists", "Pick"];
const types = [...names.map((name) => registry.getMessage(`sessionstream.test.${name}`)),
               ...names2.map((name) => registry.getMessage(`sessionstream.test2.${name}`))].filter(Boolean);

const texts = ["", "a", "plain text", "é€😀", "\"quoted\\\"", "\t\n\u0001\u2028<>&", "x".repeat(200)];
const doubles = [0, -0, 1, -1.5, 0.1, 1e21, 1e-7, 5e-324, 1.7976931348623157e308, NaN, Infinity,
                 -Infinity, 123456789.125];
function scalar(type) {
  switch (type) {
    case ScalarType.DOUBLE: return pick(doubles);
    case ScalarType.FLOAT: return Math.fround(pick([...doubles.filter((d) => Math.abs(d) < 3e38 || !isFinite(d)), 3.4028234663852886e38]));
    case ScalarType.BOOL: return random() < 0.5;
    case ScalarType.STRING: return pick(texts);
    case ScalarType.BYTES: return Uint8Array.from({ length: below(9) }, () => below(256));
    case ScalarType.INT32: case ScalarType.SINT32: case ScalarType.SFIXED32:
      return pick([0, 1, -1, 2147483647, -2147483648, below(1 << 30)]);
    case ScalarType.UINT32: case ScalarType.FIXED32: return pick([0, 1, 4294967295, below(1 << 30)]);
    case ScalarType.UINT64: case ScalarType.FIXED64: return pick([0n, 1n, 18446744073709551615n, BigInt(below(1 << 30)) << 20n]);
    default: return pick([0n, 1n, -1n, 9223372036854775807n, -9223372036854775808n]);
  }
}
const enumeration = (desc) => random() < 0.1 && desc.open && !desc.typeName.startsWith("google") ? 77 : pick(desc.values).number;

function wellKnown(name, depth) {
  switch (name) {
    case "google.protobuf.Timestamp": return { seconds: BigInt(pick([0, -62135596800, 253402300799, below(2e9)])), nanos: pick([0, 1, 1000, 1000000, 999999999]) };
    case "google.protobuf.Duration": { const nanos = pick([0, 1, 500000000, 999999999]); const negative = random() < 0.5;
      return { seconds: BigInt(below(3e9)) * (negative ? -1n : 1n), nanos: negative ? -nanos : nanos }; }
    case "google.protobuf.FieldMask": return { paths: Array.from({ length: below(3) }, () => pick(["a", "foo_bar", "a.b_c.d"])) };
    default: return undefined;
  }
}
function value(depth) {
  switch (below(depth > 3 ? 4 : 6)) {
    case 0: return null;
    case 1: return pick(doubles.filter(isFinite));
    case 2: return pick(texts);
    case 3: return random() < 0.5;
    case 4: return Array.from({ length: below(3) }, () => value(depth + 1));
    default: return Object.fromEntries(Array.from({ length: below(3) }, (_, i) => [`k${i}${pick(["", "é"])}`, value(depth + 1)]));
  }
}
function messageOf(desc, depth) {
  const special = wellKnown(desc.typeName, depth);
  if (special !== undefined) return create(desc, special);
  if (desc.typeName === "google.protobuf.Any") {
    if (depth > 3 || random() < 0.2) return create(desc);
    const type = pick([...types.filter((t) => !t.typeName.endsWith("Node")), registry.getMessage("google.protobuf.Duration")].filter(Boolean));
    return anyPack(type, messageOf(type, depth + 2));
  }
  if (desc.typeName === "google.protobuf.Value") return fromJsonString(desc, JSON.stringify(value(depth)));
  if (desc.typeName === "google.protobuf.ListValue") return fromJsonString(desc, JSON.stringify([value(depth)]));
  const message = create(desc);
  for (const member of desc.members) {
    if (random() < (depth > 3 ? 0.85 : 0.35)) continue;
    const field = member.kind === "oneof" ? pick(member.fields) : member;
    const set = (v) => member.kind === "oneof" ? message[member.localName] = { case: field.localName, value: v } : message[field.localName] = v;
    const element = (kind) => kind === "enum" ? enumeration(field.enum) : kind === "scalar" ? scalar(field.scalar) : toInit(field.message, depth);
    if (field.fieldKind === "list") set(Array.from({ length: below(4) }, () => element(field.listKind)));
    else if (field.fieldKind === "map") {
      const map = {};
      for (let i = below(4); i > 0; i--) map[scalar(field.mapKey)] = element(field.mapKind);
      set(map);
    } else if (field.fieldKind !== "message" || depth < 6) set(element(field.fieldKind));
  }
  return message;
}
// Struct fields are plain JSON objects in this library, wrappers are bare values.
function toInit(desc, depth) {
  if (desc.typeName === "google.protobuf.Struct") { const v = value(2); return v !== null && typeof v === "object" && !Array.isArray(v) ? v : {}; }
  const message = messageOf(desc, depth + 1);
  return desc.typeName.endsWith("Value") && desc.fields.length === 1 && desc.typeName.startsWith("google.protobuf.") &&
    desc.typeName !== "google.protobuf.ListValue" ? message.value : message;
}

const pipe = spawn(args.pipe, descriptors, { stdio: ["pipe", "pipe", "inherit"] });
const lines = createInterface({ input: pipe.stdout })[Symbol.asyncIterator]();
async function ask(kind, type, bytes) {
  pipe.stdin.write(`${kind} ${type.typeName} ${Buffer.from(bytes).toString("hex")}\n`);
  const line = (await lines.next()).value;
  return line.startsWith("+") ? { bytes: Buffer.from(line.slice(1), "hex") } : { error: line.slice(1) };
}

// NaN equals nothing, not even in maps; texts with sorted keys do.
const sorted = (text) => JSON.stringify(JSON.parse(text), (key, v) =>
  v !== null && typeof v === "object" && !Array.isArray(v) ? Object.fromEntries(Object.entries(v).sort()) : v);
// This library forgets what stands before the type's name in an Any.
const plain = (text) => sorted(text).replaceAll(/"@type":"[^"]*\//g, '"@type":"');
let failed = 0;
let checked = 0;
let mutants = 0;
function fail(what, type, detail) {
  if (++failed <= 20) console.log(`FAILED ${what} ${type.typeName}: ${detail}`);
}
const deepest = (text) => { let depth = 0, most = 0; for (const c of text) { if (c === "{" || c === "[") most = Math.max(most, ++depth); else if (c === "}" || c === "]") depth--; } return most; };
for (let i = 0; i < count; i++) {
  const type = types[i % types.length];
  let message, binary, text;
  try {
    message = messageOf(type, 0);
    binary = toBinary(type, message);
    message = fromBinary(type, binary);
    text = toJsonString(type, message, { registry });
  } catch (error) { continue; }    // not a valid message for the other side
  if (deepest(text) > 20) continue;
  checked++;
  const ours = await ask("E", type, binary);
  if (ours.error !== undefined) { fail("encode", type, `${ours.error} for ${text}`); continue; }
  try {
    // Through bytes, where a float is a float again: this library keeps it as a double.
    const back = fromBinary(type, toBinary(type, fromJsonString(type, ours.bytes.toString("utf8"), { registry })));
    if (!equals(type, back, message, { registry, unpackAny: true, extensions: false, unknown: false }) &&
        sorted(toJsonString(type, back, { registry })) !== sorted(text)) fail("encode", type, `${ours.bytes} is not ${text}`);
  } catch (error) { fail("encode", type, `${error.message}: ${ours.bytes}`); }
  const decoded = await ask("D", type, Buffer.from(text));
  if (decoded.error !== undefined) { fail("decode", type, `${decoded.error} for ${text}`); continue; }
  const read = (bytes) => { try { return toJsonString(type, fromBinary(type, bytes), { registry }); } catch (error) { return `${error.message} in ${Buffer.from(bytes).toString("hex")}`; } };
  const again = read(decoded.bytes);
  // Their text has lost the sign of -0, so what they read from it is what counts.
  const theirs = read(toBinary(type, fromJsonString(type, text, { registry })));
  if (again !== theirs && sorted(again) !== sorted(theirs)) fail("decode", type, `${again} is not ${theirs}`);
  if (i % 8 === 0 && text.length > 2) {
    // One character changed: what one side accepts the other must read alike, or we are stricter.
    const at = below(text.length);
    const mutant = text.slice(0, at) + pick([...'{}[],:"0a-.eE\\ ']) + text.slice(at + 1);
    if (!mutant.isWellFormed?.() ?? /[\ud800-\udfff]/.test(mutant)) continue;    // cut in a surrogate pair
    let theirs;
    try { theirs = read(toBinary(type, fromJsonString(type, mutant, { registry }))); } catch { theirs = undefined; }
    const mine = await ask("D", type, Buffer.from(mutant));
    mutants++;
    if (mine.error === undefined && theirs !== undefined) {
      if (plain(read(mine.bytes)) !== plain(theirs)) fail("mutant", type, `${mutant}: ${read(mine.bytes)} is not ${theirs}`);
    } else if (mine.error === undefined && !/"-?[0-9.]+[eE][-+]?[0-9]+"/.test(mutant)) fail("mutant", type, `accepted ${mutant}`);
  }
}
// Packed bytes with one to three changes, without nested Any: the other side does not look into it.
let packedMutants = 0, packedTaken = 0, packedFormless = 0;
for (let i = 0; i < count; i++) {
  const type = types[i % types.length];
  let bytes;
  try { bytes = toBinary(type, messageOf(type, 2)); } catch (error) { continue; }
  if (bytes.length === 0 || bytes.length > 4000) continue;
  let mutant = Buffer.from(bytes);
  for (let n = 1 + below(3); n > 0 && mutant.length > 0; n--) {
    const at = below(mutant.length);
    const kind = below(5);
    if (kind === 0) mutant[at] ^= 1 << below(8);
    else if (kind === 1) mutant[at] = below(256);
    else if (kind === 2) mutant = Buffer.concat([mutant.subarray(0, at), mutant.subarray(at + 1)]);
    else if (kind === 3) mutant = Buffer.concat([mutant.subarray(0, at), Buffer.from([below(256)]), mutant.subarray(at)]);
    else mutant = Buffer.concat([mutant, mutant.subarray(at)]);
  }
  packedMutants++;
  const mine = await ask("E", type, mutant);
  if (mine.error !== undefined) continue;
  packedTaken++;
  let message, theirs;
  try { message = fromBinary(type, mutant); }
  catch (error) { fail("packed", type, `accepted ${mutant.toString("hex")} (${error.message})`); continue; }
  try { theirs = toJsonString(type, message, { registry }); } catch { packedFormless++; continue; }
  try {
    const back = fromBinary(type, toBinary(type, fromJsonString(type, mine.bytes.toString("utf8"), { registry })));
    const again = toJsonString(type, back, { registry });
    if (plain(again) !== plain(theirs)) fail("packed", type, `${mutant.toString("hex")}: ${again} is not ${theirs}`);
  } catch (error) { if (!/expected enum/.test(error.message)) fail("packed", type, `${error.message}: ${mutant.toString("hex")} is ${mine.bytes}`); }
}
pipe.stdin.end();
console.log(`${checked} messages and ${mutants} mutants checked`);
console.log(`${packedMutants} mutants of packed bytes, ${packedTaken} taken, ${packedFormless} without JSON there`);
console.log(`${checked - failed} passed, ${failed} failed`);
process.exit(failed === 0 && checked > count / 2 ? 0 : 1);
