// Groups: metadata, participants, and the jobs that change them.

import { define, R } from "../base/loader";
import { BaseCollection, Collection } from "../base/collection";
import { BaseModel, defineModel } from "../base/model";
import { comms, ServerError } from "../comms";
import { modelStorage, writeRows } from "../store";
import { pushesHandled } from "../session";
import type { GroupRequest, Requests, WireChat } from "../wire";
import { inviteInfo, updateRequests } from "./group-settings";
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

class PastParticipant extends BaseModel {}
defineModel(PastParticipant, { proxyName: "past-participant", props: { id: undefined, leaveTs: undefined, leaveReason: undefined }, session: {} });
class PastParticipantCollection extends Collection {
  static override model = PastParticipant;
}

class MembershipApprovalRequest extends BaseModel {}
defineModel(MembershipApprovalRequest, {
  proxyName: "group-membership-approval-request",
  props: { id: undefined, t: undefined, addedBy: undefined, requestMethod: undefined, parentGroupId: undefined },
  session: {},
});
class MembershipApprovalRequestCollection extends Collection {
  static override model = MembershipApprovalRequest;
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
    ephemeralDuration: undefined, memberAddMode: "all_member_add", membershipApprovalMode: false, size: undefined, support: false, suspended: false, groupType: "DEFAULT", isLidAddressingMode: false, defaultSubgroup: false,
  },
  session: { stale: false },
  lazy: {
    participants: (self) => new ParticipantCollection(undefined, { parent: self }),
    pastParticipants: (self) => new PastParticipantCollection(undefined, { parent: self }),
    membershipApprovalRequests: (self) => new MembershipApprovalRequestCollection(undefined, { parent: self }),
  },
});

export class GroupMetadataCollectionImpl extends BaseCollection {
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
  past?: GroupRequest[];
  announce: boolean;
  restrict: boolean;
  memberAddMode: string;
  membershipApprovalMode: boolean;
  ephemeralDuration: number;
}

function show(rows: GroupRow[]): void {
  const collection = R("WAWebGroupMetadataCollection").default;
  for (const { participants, past, ...row } of rows) {
    const [model] = collection.add({ ...row, id: wid(row.id), owner: wid(row.owner), size: participants.length }, { merge: true });
    const keep = new Set(participants.map((p) => p.id));
    model.participants.remove(model.participants.filter((p: any) => !keep.has(String(p.id))));
    model.participants.add(participants.map((p) => ({ ...p, id: wid(p.id) })), { merge: true });
    model.pastParticipants.reset();
    model.pastParticipants.add((past ?? []).map((p) => ({ id: wid(p.wid), leaveTs: p.t, leaveReason: p.reason })), { silent: true });
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
      past: c.group!.past,
      announce: !!c.group!.announce,
      restrict: !!c.group!.restrict,
      memberAddMode: c.group!.admin_add ? "admin_add" : "all_member_add",
      membershipApprovalMode: !!c.group!.approval,
      ephemeralDuration: c.group!.ephemeral ?? 0,
    }));
  if (!rows.length) return;
  await writeRows({ "group-metadata": rows });
  show(rows);
}

type GroupArgs = Requests["group"]["args"];

/** What the server refuses is thrown under the name by which the clients know it. */
function named(err: unknown): unknown {
  return err instanceof ServerError && err.code !== 501 ? Object.assign(err, { name: "ServerStatusCodeError", status: err.code, statusCode: err.code }) : err;
}

export async function change(args: GroupArgs): Promise<any> {
  const ok = await comms.request("group", args).catch((err) => { throw named(err); });
  await pushesHandled();
  return { status: 200, participants: (ok.participants ?? []).map((p) => ({ userWid: wid(p.wid), code: String(p.code) })), gid: ok.group && wid(ok.group), code: ok.code, approval: ok.approval, info: ok.info, requests: ok.requests };
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

/** Joins, or asks for it: then what the real page throws says that an admin has to agree, and wa-js reads it. */
async function join(code: string): Promise<{ gid: Wid }> {
  const { gid, approval } = await change({ action: "join", code });
  if (approval) throw Object.assign(new Error("UnexpectedJoinGroupViaInviteResponse"), { name: "UnexpectedJoinGroupViaInviteResponse", gid, membershipApprovalMode: true });
  return { gid };
}

export function defineGroups(): void {
  const members = (action: string) => (group: any, participants: any[]) => change({ action, group: String(group.id ?? group), participants: ids(participants) });
  define("WAWebGroupParticipantModel", () => ({ default: Participant }));
  define("WAWebGroupParticipantCollection", () => ({ default: ParticipantCollection }));
  define("WAWebPastParticipantCollection", () => ({ default: PastParticipantCollection }));
  define("WAWebGroupMembershipApprovalRequestModel", () => ({ default: MembershipApprovalRequest }));
  define("WAWebGroupMembershipApprovalRequestCollection", () => ({ default: MembershipApprovalRequestCollection }));
  define("WAWebGroupMetadataModel", () => ({ default: GroupMetadata }));
  define("WAWebGroupMetadataCollection", () => ({ default: new GroupMetadataCollectionImpl() }));
  define("WAWebGroupQueryJob", () => ({
    queryAllGroups: async () => R("WAWebGroupMetadataCollection").default.map((g: any) => ({ id: g.id })),
    queryAndUpdateGroupMetadataById: async (request: any) => {
      const metadata = await R("WAWebGroupMetadataCollection").default.find(wid(String(request.id ?? request)));
      await R("WAWebGroupQueryJob").maybeQueryAndUpdateMembershipApprovalRequests(metadata.id);
      return metadata;
    },
    maybeQueryAndUpdateMembershipApprovalRequests: (group: Wid) => updateRequests(group),
    queryGroupInvite: (code: string) => inviteInfo(code),
  }));
  define("WAWebGroupCreateJob", () => ({
    GroupAlreadyExistsError: class GroupAlreadyExistsError extends Error {},
    async createGroup(request: any, participants: any[]) {
      // "restrict" and "announce" are what members may do: the module turns them round. An issue of whatsapp-web.js
      // (wwebjs/whatsapp-web.js#201767, May 2026) reads it off the real one. memberAddMode is taken in the same sense.
      const settings = {
        restrict: request.restrict === false, announce: request.announce === false, admin_add: request.memberAddMode === false,
        approval: !!request.membershipApprovalMode, ephemeral: Number(request.ephemeralDuration) || 0,
      };
      if (request.parentGroupId) throw new Error("the sandbox does not simulate communities (parentGroupId)");
      const { gid, participants: added } = await change({ action: "create", subject: request.title, participants: ids(participants), settings });
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
    setEphemeralGroupProperty: (group: Wid, seconds: number, _options: unknown) => change({ action: "property:ephemeral", group: String(group), subject: String(seconds) }),
  }));
  define("WAWebExitGroupAction", () => ({ sendExitGroup: (chat: any) => change({ action: "leave", group: String(chat.id) }) }));
  define("WASmaxGroupsAddParticipantsRPC", () => ({ sendAddParticipantsRPC: (request: any, _options: unknown) => addByRPC(request) }));
  define("WAWebMexFetchGroupInviteCodeJob", () => ({
    fetchMexGroupInviteCode: async (group: unknown) => (await change({ action: "invite_code", group: String(group) })).code,
  }));
  define("WAWebGroupInviteJob", () => ({
    resetGroupInviteCode: (group: Wid) => change({ action: "reset_invite", group: String(group) }),
    joinGroupViaInvite: (code: string, _options: unknown) => join(code),
  }));
}
