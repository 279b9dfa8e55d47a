/** Volumes from the server, each when it is first looked at. */

import type { Named, Source } from "../format.ts";
import { answered, type Api } from "./api.ts";

export class ServedSource implements Source {
  constructor(private api: Api) {}

  async bytes(of: Named): Promise<ArrayBuffer> {
    const answer = await answered(fetch(this.api.address(of.data)));
    Object.assign(of, JSON.parse(answer.headers.get("x-voxplain-volume") ?? "{}"));
    return answer.arrayBuffer();
  }
}
