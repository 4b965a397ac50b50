// The only function of the main process that the window may call.
import { contextBridge, ipcRenderer } from 'electron';

contextBridge.exposeInMainWorld('detector', {
  detect: (image: Uint8Array, caption: string): Promise<unknown> => ipcRenderer.invoke('detect', image, caption),
});
