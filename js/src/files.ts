// Files come in through detached <input type=file> elements that kurir fills by DOM.setFileInputFiles: the browser
// reads them from disk itself, nothing travels as base64.
import { Problem } from "./limits";

const inputs = new Map<string, HTMLInputElement>();

/** An input for the file of message id. Kept until that message is sent. */
export function fileInput(id: string): HTMLInputElement {
  const input = document.createElement("input");
  input.type = "file";
  inputs.set(id, input);
  return input;
}

/** The file of message id, under the name and type the receiver is to see. Takes it out: a second call finds none. */
export function takeFile(id: string, filename?: string, mimetype?: string): File {
  const file = inputs.get(id)?.files?.[0];
  inputs.delete(id);
  if (!file) throw new Problem("PAGE_ERROR", "no file was handed over for this message");
  // A File made of a File refers to it; its bytes are not copied.
  return new File([file], filename || file.name, { type: mimetype || file.type || "application/octet-stream", lastModified: file.lastModified });
}
