import { closeSync, readSync } from 'node:fs';
import { SaxesParser } from 'saxes';
import { MdetrError } from '../../errors.ts';
import { BadRowError } from './bad-rows.ts';
import { openInputSync } from '../../files/input-file.ts';
import { foreignContent, HEAD_BYTES } from '../../files/text-encoding.ts';

/** An XML element with its attributes, text and child elements; comments and processing instructions are dropped. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Line in which the element's start tag ends, from 1. */
  readonly line: number;
  readonly text: string;
  readonly children: readonly XmlElement[];
}

interface OpenElement {
  name: string;
  attributes: Readonly<Record<string, string>>;
  line: number;
  text: string;
  children: XmlElement[];
}

const MAX_DEPTH = 20;
const MAX_CHARACTERS = 4 * 1024 * 1024;
/** Limit for one element that `readXmlChildren` builds in memory. */
const MAX_ELEMENT_BYTES = 64 * 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;

/**
 * Parses a small XML file strictly. Document types with declarations are rejected, and with them all entities but the five predefined ones.
 * @param path file name for messages
 * @throws {MdetrError} naming file and line of the first error
 */
export const parseXml = (xml: string, path: string): XmlElement => {
  if (xml.length > MAX_CHARACTERS)
    throw new BadRowError(`${path}: ${xml.length} characters are too many for the annotation of one image`);
  let root: XmlElement | undefined;
  const parser = treeParser(path, {
    onElement: (element, depth) => {
      if (depth === 0) root = element;
    },
  });
  parser.write(xml).close();
  if (root === undefined) throw new BadRowError(`${path}: has no XML element`);
  return root;
};

/**
 * Iterates over the elements of a large XML file that are children of its root, one at a time, as strictly as `parseXml`.
 * @throws {MdetrError} naming file and line of the first error
 */
export const readXmlChildren = function* (path: string): Generator<XmlElement & { readonly root: string }> {
  const fd = openInputSync(path);
  try {
    let ready: (XmlElement & { readonly root: string })[] = [];
    let rootName = '';
    let [elementBytes, read] = [0, 0];
    const parser = treeParser(path, {
      onOpen: (name, depth) => {
        if (depth === 0) rootName = name;
        if (depth === 1) elementBytes = read;
      },
      onElement: (element, depth, forget) => {
        if (depth !== 1) return;
        ready.push({ ...element, root: rootName });
        forget();
      },
    });
    const buffer = Buffer.alloc(CHUNK_BYTES);
    const decoder = new TextDecoder('utf-8', { fatal: true });
    const decode = (bytes?: Uint8Array): string => {
      try {
        return bytes === undefined ? decoder.decode() : decoder.decode(bytes, { stream: true });
      } catch (error) {
        throw new MdetrError(`${path}: line ${parser.line}: is not UTF-8 text; save it as UTF-8`, { cause: error });
      }
    };
    for (let bytes; (bytes = readSync(fd, buffer, 0, CHUNK_BYTES, null)) > 0;) {
      if (read === 0) {
        const foreign = foreignContent(buffer.subarray(0, Math.min(bytes, HEAD_BYTES)));
        if (foreign !== undefined) throw new MdetrError(`${path}: is ${foreign}`);
      }
      read += bytes;
      if (read - elementBytes > MAX_ELEMENT_BYTES)
        throw new MdetrError(`${path}: line ${parser.line}: an element has more than ${MAX_ELEMENT_BYTES} bytes`);
      parser.write(decode(buffer.subarray(0, bytes)));
      if (ready.length > 0) elementBytes = read;
      yield* ready;
      ready = [];
    }
    if (read === 0) throw new MdetrError(`${path}: is empty; expected XML`);
    parser.write(decode()).close();
    yield* ready;
  } finally {
    closeSync(fd);
  }
};

interface TreeEvents {
  readonly onOpen?: (name: string, depth: number) => void;
  /** Called when an element is complete; `forget` removes it from its parent. */
  readonly onElement: (element: XmlElement, depth: number, forget: () => void) => void;
}

/** Parser that builds elements and rejects document types and deep nesting. */
const treeParser = (path: string, { onOpen, onElement }: TreeEvents): SaxesParser => {
  const parser = new SaxesParser();
  const fail = (what: string): never => {
    throw new BadRowError(`${path}: line ${parser.line}: ${what}`);
  };
  const open: OpenElement[] = [];
  parser.on('error', ({ message }) => fail(`malformed XML: ${message.replace(/^\d+:\d+: /, '')}`));
  // A mere name is harmless; declarations could define entities, and addresses could be fetched.
  parser.on('doctype', (type) => {
    if (!/^\s*[\w:.-]+\s*$/.test(type)) fail('declares a document type, which is not allowed');
  });
  parser.on('opentag', ({ name, attributes }) => {
    if (open.length === MAX_DEPTH) fail(`elements are nested deeper than ${MAX_DEPTH} levels`);
    onOpen?.(name, open.length);
    const element: OpenElement = { name, attributes, line: parser.line, text: '', children: [] };
    (open.at(-1)?.children ?? []).push(element);
    open.push(element);
  });
  parser.on('text', (text) => {
    const element = open.at(-1);
    if (element !== undefined) element.text += text;
  });
  parser.on('cdata', (text) => {
    open.at(-1)!.text += text;
  });
  parser.on('closetag', () => {
    const element = open.pop()!;
    onElement(element, open.length, () => open.at(-1)?.children.pop());
  });
  return parser;
};

/** Child elements with the given name. */
export const childrenOf = ({ children }: XmlElement, name: string): XmlElement[] =>
  children.filter((child) => child.name === name);

/** Trimmed text of the first child with the given name; undefined if there is none. */
export const textOf = (element: XmlElement, name: string): string | undefined =>
  childrenOf(element, name)[0]?.text.trim();
