/** Front matter of a model card, which the Hugging Face hub reads, with the marks around it. */
export const frontMatter = (tags: readonly string[]): string =>
  [
    '---',
    'library_name: mdetr',
    'pipeline_tag: zero-shot-object-detection',
    'tags:',
    ...['mdetr', 'visual-grounding', ...tags].map((tag) => `- ${tag}`),
    '---',
    '',
    '',
  ].join('\n');

/** A card without its front matter. */
export const withoutFrontMatter = (card: string): string => card.replace(/^---\r?\n[\s\S]*?\r?\n---\r?\n+/, '');
