import type { PickleInput } from './pickle-input.ts';
import type { PickleValue } from './pickle-values.ts';

/** Value of an opcode that encodes a number, a string or a constant; undefined for every other opcode. */
export const readScalar = (opcode: number, input: PickleInput): PickleValue | undefined => {
  switch (opcode) {
    case 0x4e: // NONE
      return null;
    case 0x88: // NEWTRUE
      return true;
    case 0x89: // NEWFALSE
      return false;
    case 0x4a: // BININT
      return input.int32();
    case 0x4b: // BININT1
      return input.uint8();
    case 0x4d: // BININT2
      return input.uint16();
    case 0x49: // INT
      return input.decimalIntegerLine(true);
    case 0x4c: // LONG
      return input.decimalIntegerLine(false);
    case 0x8a: // LONG1
      return input.integer(input.uint8());
    case 0x8b: // LONG4
      return input.integer(input.uint32());
    case 0x46: // FLOAT
      return input.floatLine();
    case 0x47: // BINFLOAT
      return input.float64BigEndian();

    case 0x58: // BINUNICODE
      return input.utf8(input.uint32());
    case 0x8c: // SHORT_BINUNICODE
      return input.utf8(input.uint8());
    case 0x8d: // BINUNICODE8
      return input.utf8(input.uint64());
    case 0x56: // UNICODE
      return input.rawUnicodeEscapeLine();
    case 0x53: // STRING
      return input.quotedLine();
    case 0x54: // BINSTRING
      return input.byteString(input.uint32());
    case 0x55: // SHORT_BINSTRING
      return input.byteString(input.uint8());
    case 0x42: // BINBYTES
      return input.bytes(input.uint32());
    case 0x43: // SHORT_BINBYTES
      return input.bytes(input.uint8());
    case 0x8e: // BINBYTES8
    case 0x96: // BYTEARRAY8
      return input.bytes(input.uint64());
    default:
      return undefined;
  }
};
