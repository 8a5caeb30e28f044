/**
 * Slots: where Redis Cluster keeps a key, and hash tags for a given slot.
 *
 * @module
 */

/** How many slots a cluster has. */
const SLOTS = 16_384;
const encoder = new TextEncoder();

/** CRC-16/XMODEM of each byte. */
const CRC: Uint16Array = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});

/**
 * The slot of a name in Redis: that of its hash tag, the text between the first `{` and the first `}`
 * after it, or of the whole name if there is no tag or an empty one. Cost: O(length).
 *
 * @param name The whole name, prefix included.
 * @returns 0 to 16383.
 */
export function slotOf(name: string): number {
  const open = name.indexOf("{");
  const close = open < 0 ? -1 : name.indexOf("}", open + 1);
  const hashed = close > open + 1 ? name.slice(open + 1, close) : name;
  let crc = 0;
  for (let index = 0; index < hashed.length; index++) {
    const code = hashed.charCodeAt(index);
    // Most names are ASCII: an encoder takes longer than all of this, for each change.
    if (code > 0x7f) return encoder.encode(hashed).reduce(addByte, 0) % SLOTS;
    crc = addByte(crc, code);
  }
  return crc % SLOTS;
}

function addByte(crc: number, byte: number): number {
  return ((crc << 8) ^ CRC[(crc >> 8) ^ byte]) & 0xffff;
}

/** The tags found so far, by slot, and how many were tried. */
const tags: (string | undefined)[] = [];
let tried = 0;

/**
 * A short tag of a slot: `slotOf("any{" + tagOf(slot) + "}thing")` is the slot. It tries tags until it finds
 * one for the slot, and keeps all others that it meets: about 1 ms at first, 32 ms in all.
 *
 * @param slot 0 to 16383.
 * @returns At most four digits and small letters.
 */
export function tagOf(slot: number): string {
  let tag = tags[slot];
  while (tag === undefined) {
    const next = (tried++).toString(36);
    const found = slotOf(next);
    tags[found] ??= next;
    if (found === slot) tag = tags[slot];
  }
  return tag;
}
