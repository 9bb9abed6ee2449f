// Groups: metadata, participants, and the jobs that change them.

import { define, R } from "../base/loader";
import { BaseCollection, Collection } from "../base/collection";
import { BaseModel, defineModel } from "../base/model";
import { comms } from "../comms";
import { modelStorage, writeRows } from "../store";
import { pushesHandled } from "../session";
import type { Requests, WireChat } from "../wire";
import { wid, type Wid } from "./ids";

class Participant extends BaseModel {}
defineModel(Participant, {
  proxyName: "participant",
  props: { id: undefined, isAdmin: false, isSuperAdmin: false },
  session: {},
  lazy: { contact: (self) => R("WAWebContactCollection").ContactCollection.gadd(self.id, { silent: true }) },
});

class ParticipantCollection extends Collection {
  static override model = Participant;
  #isMe = (p: any) => R("WAWebUserPrefsMeUser").isMeAccount(p.id);
  getMeParticipant(): any { return this.findFirst(this.#isMe); }
  iAmMember(): boolean { return !!this.getMeParticipant(); }
  iAmAdmin(): boolean { return !!this.getMeParticipant()?.isAdmin; }
  iAmSuperAdmin(): boolean { return !!this.getMeParticipant()?.isSuperAdmin; }
  iAmRestrictedMember(): boolean { return false; }
  getAdmins(): any[] { return this.filter((p: any) => p.isAdmin); }
  getSuperAdmin(): any { return this.findFirst((p: any) => p.isSuperAdmin); }
  getGroupMetadata(): any { return this.parent; }
  getChat(): any { return R("WAWebChatCollection").ChatCollection.get(this.parent.id); }
  canAdd(): boolean { return this.iAmAdmin() || this.parent.memberAddMode === "all_member_add"; }
  canPromote(p: any): boolean { return this.iAmAdmin() && !p.isAdmin; }
  canDemote(p: any): boolean { return this.iAmAdmin() && p.isAdmin && !p.isSuperAdmin; }
  canRemove(p: any): boolean { return this.iAmAdmin() && !p.isSuperAdmin; }
  userIsMember(w: Wid): boolean { return !!this.get(w); }
  userIsAdmin(w: Wid): boolean { return !!this.get(w)?.isAdmin; }
  ensureSorted(): void {}
}

class GroupMetadata extends BaseModel {
  canSetSubject(): boolean { return !this.restrict || this.participants.iAmAdmin(); }
  canSetDescription(): boolean { return this.canSetSubject(); }
  canSetGroupProperty(): boolean { return this.participants.iAmAdmin(); }
  hasJoined(): boolean { return this.participants.iAmMember(); }
  isTrusted(): boolean { return true; }
  getCollection(): any { return R("WAWebGroupMetadataCollection").default; }
  canSetEphemeralSetting(): boolean { return this.canSetSubject(); }
  /** Collections of a model are serialized with it. */
  override serialize(): Record<string, unknown> { return { ...super.serialize(), participants: this.participants.serialize() }; }
}
defineModel(GroupMetadata, {
  proxyName: "group-metadata",
  props: {
    id: undefined, creation: undefined, owner: undefined, subject: undefined, subjectTime: undefined, desc: undefined, descId: undefined, restrict: false, announce: false, noFrequentlyForwarded: false,
    ephemeralDuration: undefined, memberAddMode: "all_member_add", size: undefined, support: false, suspended: false, groupType: "DEFAULT", isLidAddressingMode: false, defaultSubgroup: false,
  },
  session: { stale: false },
  lazy: { participants: (self) => new ParticipantCollection(undefined, { parent: self }) },
});

class GroupMetadataCollectionImpl extends BaseCollection {
  static override model = GroupMetadata;
  _handleParentGroupChange(): void {}
  _handleGroupAdd(): void {}
  _handleGroupRemove(): void {}

  /** Metadata that is not known yet is asked for; the server pushes the chat. */
  override async findQuery(id: any): Promise<any> {
    const row = await modelStorage.get("group-metadata", String(id));
    if (row) show([row]);
    else {
      await comms.request("group", { action: "query", group: String(id) });
      await pushesHandled();
    }
    return this.assertGet(id);
  }
}

interface GroupRow {
  id: string;
  owner: string;
  subject: string;
  desc?: string;
  creation: number;
  participants: { id: string; isAdmin: boolean; isSuperAdmin: boolean }[];
}

function show(rows: GroupRow[]): void {
  const collection = R("WAWebGroupMetadataCollection").default;
  for (const { participants, ...row } of rows) {
    const [model] = collection.add({ ...row, id: wid(row.id), owner: wid(row.owner), size: participants.length }, { merge: true });
    const keep = new Set(participants.map((p) => p.id));
    model.participants.remove(model.participants.filter((p: any) => !keep.has(String(p.id))));
    model.participants.add(participants.map((p) => ({ ...p, id: wid(p.id) })), { merge: true });
  }
}

export async function loadGroups(): Promise<void> {
  show(await modelStorage.getAll("group-metadata"));
}

/** Stores and shows the metadata that came with chats. */
export async function saveGroups(chats: WireChat[]): Promise<void> {
  const rows = chats
    .filter((c) => c.group)
    .map((c) => ({
      id: c.wid,
      owner: c.group!.owner,
      subject: c.group!.subject,
      desc: c.group!.description,
      creation: c.group!.created,
      participants: c.group!.participants.map((p) => ({ id: p.wid, isAdmin: p.admin || !!p.superadmin, isSuperAdmin: !!p.superadmin })),
    }));
  if (!rows.length) return;
  await writeRows({ "group-metadata": rows });
  show(rows);
}

type GroupArgs = Requests["group"]["args"];

async function change(args: GroupArgs): Promise<any> {
  const ok = await comms.request("group", args);
  await pushesHandled();
  return { status: 200, participants: (ok.participants ?? []).map((p) => ({ userWid: wid(p.wid), code: String(p.code) })), gid: ok.group && wid(ok.group), code: ok.code };
}

function ids(participants: any[]): string[] {
  return participants.map((p) => String(p.phoneNumber ?? p.id ?? p));
}

/** What the server says to the request that adds one participant, in the shape of its reply's parser. */
async function addByRPC({ iqTo, participantArgs }: any): Promise<any> {
  const { participants } = await change({ action: "add", group: String(wid(iqTo)), participants: participantArgs.map((p: any) => String(wid(p.participantJid))) });
  return {
    name: "AddParticipantsResponseSuccess",
    value: {
      addParticipant: participants.map((p: any) => ({
        addParticipantsParticipantAddedOrNonRegisteredWaUserParticipantErrorLidResponseMixinGroup: {
          value: { addParticipantsParticipantMixins: p.code === "200" ? undefined : { name: "ParticipantError", value: { error: p.code } } },
        },
      })),
    },
  };
}

export function defineGroups(): void {
  const members = (action: string) => (group: any, participants: any[]) => change({ action, group: String(group.id ?? group), participants: ids(participants) });
  define("WAWebGroupParticipantModel", () => ({ default: Participant }));
  define("WAWebGroupParticipantCollection", () => ({ default: ParticipantCollection }));
  define("WAWebGroupMetadataModel", () => ({ default: GroupMetadata }));
  define("WAWebGroupMetadataCollection", () => ({ default: new GroupMetadataCollectionImpl() }));
  define("WAWebGroupQueryJob", () => ({
    queryAllGroups: async () => R("WAWebGroupMetadataCollection").default.map((g: any) => ({ id: g.id })),
    queryAndUpdateGroupMetadataById: async (request: any) => R("WAWebGroupMetadataCollection").default.find(wid(String(request.id ?? request))),
  }));
  define("WAWebGroupCreateJob", () => ({
    GroupAlreadyExistsError: class GroupAlreadyExistsError extends Error {},
    async createGroup(request: any, participants: any[]) {
      const { gid, participants: added } = await change({ action: "create", subject: request.title, participants: ids(participants) });
      const members = added.map((p: any) => ({ wid: p.userWid, type: undefined, error: p.code === "200" ? null : p.code }));
      const creator = { wid: R("WAWebUserPrefsMeUser").getMeUser(), type: "superadmin", error: null };
      return { wid: gid, subject: request.title, participants: [creator, ...members] };
    },
  }));
  define("WAWebGroupModifyParticipantsJob", () => ({
    addGroupParticipants: (group: any, participants: any[]) => members("add")(group, participants),
    removeGroupParticipants: (group: any, participants: any[]) => members("remove")(group, participants),
    promoteGroupParticipants: (group: any, participants: any[], _source: unknown) => members("promote")(group, participants),
    demoteGroupParticipants: (group: any, participants: any[], _source: unknown) => members("demote")(group, participants),
  }));
  define("WAWebModifyParticipantsGroupAction", () => ({
    addParticipants: (chat: any, participants: any[], _source: unknown) => members("add")(chat, participants),
    removeParticipants: (chat: any, participants: any[]) => members("remove")(chat, participants),
    promoteParticipants: (chat: any, participants: any[]) => members("promote")(chat, participants),
    demoteParticipants: (chat: any, participants: any[]) => members("demote")(chat, participants),
    promoteCommunityParticipants: (chat: any, participants: any[]) => members("promote")(chat, participants),
    demoteCommunityParticipants: (chat: any, participants: any[]) => members("demote")(chat, participants),
  }));
  define("WAWebGroupModifyInfoJob", () => ({
    setGroupSubject: (group: Wid, subject: string) => change({ action: "subject", group: String(group), subject }),
    setGroupDescription: (group: Wid, text: string, _id: unknown, _previous: unknown) => change({ action: "description", group: String(group), subject: text }),
    setGroupProperty: (group: Wid, property: string, value: unknown) => change({ action: `property:${property}`, group: String(group), subject: String(value) }),
  }));
  define("WAWebExitGroupAction", () => ({ sendExitGroup: (chat: any) => change({ action: "leave", group: String(chat.id) }) }));
  define("WASmaxGroupsAddParticipantsRPC", () => ({ sendAddParticipantsRPC: (request: any, _options: unknown) => addByRPC(request) }));
  define("WAWebMexFetchGroupInviteCodeJob", () => ({
    fetchMexGroupInviteCode: async (group: unknown) => (await change({ action: "invite_code", group: String(group) })).code,
  }));
  define("WAWebGroupInviteJob", () => ({
    resetGroupInviteCode: (group: Wid) => change({ action: "reset_invite", group: String(group) }),
    joinGroupViaInvite: (code: string, _options: unknown) => change({ action: "join", code }),
  }));
}
