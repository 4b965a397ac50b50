const DNG_VERSION = 50706;
const NEW_SUBFILE_TYPE = 254;
const SUB_IFDS = 330;
const REDUCED_RESOLUTION = 1;

/** Facts about a TIFF file that are known before it is decoded. */
export interface TiffDirectories {
  /** Number of pages; counting stops at one more than the limit. */
  readonly pages: number;
  /** The first page is the thumbnail of a camera raw file (DNG, NEF, ARW …), whose image the decoder does not see. */
  readonly isCameraRaw: boolean;
}

/**
 * Walks the directories of a TIFF or BigTIFF file, whose number the decoder would count without a limit. A chain that
 * ends outside of the file, or returns to itself, ends there; the decoder reports what is wrong.
 */
export const readTiffDirectories = (bytes: Uint8Array, maxPages: number): TiffDirectories => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isLittle = bytes[0] === 0x49;
  const isBig = bytes[isLittle ? 2 : 3] === 43;
  const [countBytes, entryBytes, offsetBytes] = isBig ? [8, 20, 8] : [2, 12, 4];
  const offsetAt = (at: number): number =>
    isBig ? Number(view.getBigUint64(at, isLittle)) : view.getUint32(at, isLittle);
  const seen = new Set<number>();
  let isCameraRaw = false;
  let pages = 0;
  let next = isBig ? 8 : 4;
  while (next + offsetBytes <= view.byteLength && pages <= maxPages) {
    const start = offsetAt(next);
    if (start === 0 || start + countBytes > view.byteLength || seen.has(start)) break;
    seen.add(start);
    pages++;
    const entries = isBig ? offsetAt(start) : view.getUint16(start, isLittle);
    next = start + countBytes + entries * entryBytes;
    if (pages > 1 || next > view.byteLength) continue;
    let isReduced = false;
    let hasChildren = false;
    for (let at = start + countBytes; at < next; at += entryBytes) {
      const tag = view.getUint16(at, isLittle);
      if (tag === DNG_VERSION) isCameraRaw = true;
      if (tag === SUB_IFDS) hasChildren = true;
      if (tag === NEW_SUBFILE_TYPE && at + entryBytes <= view.byteLength)
        isReduced = (view.getUint32(at + (isBig ? 12 : 8), isLittle) & REDUCED_RESOLUTION) !== 0;
    }
    if (isReduced && hasChildren) isCameraRaw = true;
  }
  return { pages, isCameraRaw };
};
