/** The package starts processes and loads native libraries: Next.js must not bundle it. */
export default { serverExternalPackages: ['mdetr'] };
