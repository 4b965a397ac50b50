/** Folders of one input. Everything is removed before the next input. */
export interface InputFolders {
  /** Folder of the input itself. */
  readonly input: string;
  /** The only folder that a reader may write to. */
  readonly target: string;
}

/** A reader of files from outside, as the fuzzer sees it. */
export interface Reader {
  readonly name: string;
  /** Valid inputs of the format: at least ten. */
  seeds(): Promise<readonly Uint8Array[]>;
  /** Reads an input completely. @throws {MdetrError} if it is refused; any other error is a fault */
  read(bytes: Uint8Array, folders: InputFolders): Promise<void> | void;
}
