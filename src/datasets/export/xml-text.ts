const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/** A text as XML content or attribute value. Control characters, which XML 1.0 cannot hold, become spaces. */
export const xmlText = (text: string): string =>
  text.replace(/[\0-\x1f\ufffe\uffff]/g, ' ').replace(/[&<>"']/g, (sign) => ENTITIES[sign]!);
