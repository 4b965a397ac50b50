import { SaxesParser } from 'saxes';
import { MdetrError } from '../errors.ts';

/** An element with the text and the elements in it; attributes, comments and instructions are not kept. */
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
 * Reads a small XML file strictly. Document types are refused, and with them all entities but the five of XML itself.
 * @param path for messages
 * @throws MdetrError naming file and line of what is malformed
 */
export const parseXml = (xml: string, path: string): XmlElement => {
  if (xml.length > MAX_CHARACTERS)
    throw new MdetrError(`${path}: ${xml.length} characters are no annotation of an image`);
  const parser = new SaxesParser();
  const fail = (what: string): never => {
    throw new MdetrError(`${path}: line ${parser.line}: ${what}`);
  };
  const open: OpenElement[] = [];
  let root: XmlElement | undefined;
  parser.on('error', ({ message }) => fail(`malformed XML: ${message.replace(/^\d+:\d+: /, '')}`));
  parser.on('doctype', () => fail('declares a document type, which files of data sets never do'));
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
  return root ?? fail('there is no element');
};

/** The children of that name. */
export const childrenOf = ({ children }: XmlElement, name: string): XmlElement[] =>
  children.filter((child) => child.name === name);

/** Text of the only child of that name, trimmed; undefined when there is none. */
export const textOf = (element: XmlElement, name: string): string | undefined =>
  childrenOf(element, name)[0]?.text.trim();
