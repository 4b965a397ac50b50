import { existsSync } from 'node:fs';

/** Paths at which systems have the manifest of SwiftShader, the Vulkan driver in software that comes with Chromium. */
const MANIFESTS = ['/usr/lib/chromium/vk_swiftshader_icd.json', '/usr/lib64/chromium-browser/vk_swiftshader_icd.json'];

const manifest = MANIFESTS.find((path) => existsSync(path));
const hasLoader = ['/usr/lib', '/usr/lib64', '/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu'].some((folder) =>
  existsSync(`${folder}/libvulkan.so.1`),
);

/** Environment in which WebGPU runs on SwiftShader; undefined if the driver or the Vulkan loader is missing. */
export const softwareVulkan: NodeJS.ProcessEnv | undefined =
  process.platform === 'linux' && manifest !== undefined && hasLoader ? { VK_DRIVER_FILES: manifest } : undefined;

/** Completes the title of tests that need it. */
export const softwareVulkanNote =
  softwareVulkan === undefined
    ? " (skipped: needs the Vulkan loader, libvulkan1, and Chromium's driver in software, chromium)"
    : '';
