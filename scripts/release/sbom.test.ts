import { describe, expect, it } from 'vitest';
import { withBundled } from './sbom.ts';

describe('the bill of materials', () => {
  it('lists what is bundled beside what is installed', () => {
    const bom = withBundled(
      {
        metadata: { component: { 'bom-ref': 'mdetr@1.0.0' } },
        components: [{ name: 'sharp' }],
        dependencies: [{ ref: 'mdetr@1.0.0', dependsOn: ['sharp@1.0.0'] }, { ref: 'sharp@1.0.0' }],
      },
      [{ name: '@scope/lru', version: '2.0.0', license: 'ISC' }],
    );
    expect(bom.components).toEqual([
      { name: 'sharp' },
      expect.objectContaining({ name: '@scope/lru', version: '2.0.0', purl: 'pkg:npm/%40scope/lru@2.0.0' }),
    ]);
    expect(bom.dependencies).toEqual([
      { ref: 'mdetr@1.0.0', dependsOn: ['sharp@1.0.0', '@scope/lru@2.0.0'] },
      { ref: 'sharp@1.0.0' },
      { ref: '@scope/lru@2.0.0', dependsOn: [] },
    ]);
  });
});
