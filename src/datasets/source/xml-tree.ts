import { SaxesParser } from 'saxes';
import { MdetrError } from '../../errors.ts';

/** An XML element with its text and child elements; attributes, comments and processing instructions are dropped. */
export interface XmlElement {
  readonly name: string;
  readonly text: string;
  readonly children: readonly XmlElement[];
}

interface OpenElement {
  name: string;
  text: string;
  children: XmlElement[];
}

const MAX_DEPTH = 20;
const MAX_CHARACTERS = 4 * 1024 * 1024;

/**
 * Parses a small XML file strictly. Document types are rejected, and with them all entities but the five predefined ones.
 * @param path file name for messages
 * @throws {MdetrError} naming file and line of the first error
 */
export const parseXml = (xml: string, path: string): XmlElement => {
  if (xml.length > MAX_CHARACTERS)
    throw new MdetrError(`${path}: ${xml.length} characters are too many for the annotation of one image`);
  const parser = new SaxesParser();
  const fail = (what: string): never => {
    throw new MdetrError(`${path}: line ${parser.line}: ${what}`);
  };
  const open: OpenElement[] = [];
  let root: XmlElement | undefined;
  parser.on('error', ({ message }) => fail(`malformed XML: ${message.replace(/^\d+:\d+: /, '')}`));
  parser.on('doctype', () => fail('declares a document type, which is not allowed'));
  parser.on('opentag', ({ name }) => {
    if (open.length === MAX_DEPTH) fail(`elements are nested deeper than ${MAX_DEPTH} levels`);
    const element: OpenElement = { name, text: '', children: [] };
    (open.at(-1)?.children ?? []).push(element);
    open.push(element);
    root ??= element;
  });
  parser.on('text', (text) => {
    const element = open.at(-1);
    if (element !== undefined) element.text += text;
  });
  parser.on('cdata', (text) => {
    open.at(-1)!.text += text;
  });
  parser.on('closetag', () => open.pop());
  parser.write(xml).close();
  return root ?? fail('has no element');
};

/** Child elements with the given name. */
export const childrenOf = ({ children }: XmlElement, name: string): XmlElement[] =>
  children.filter((child) => child.name === name);

/** Trimmed text of the first child with the given name; undefined if there is none. */
export const textOf = (element: XmlElement, name: string): string | undefined =>
  childrenOf(element, name)[0]?.text.trim();
