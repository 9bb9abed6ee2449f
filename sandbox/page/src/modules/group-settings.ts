// Groups from outside and from above: what an invitation says, who waits to be let in, what admins decide, and the
// groups that one is in together with somebody.

import { define, R } from "../base/loader";
import { Collection } from "../base/collection";
import { comms } from "../comms";
import type { GroupRequest } from "../wire";
import { change, GroupMetadataCollectionImpl } from "./groups";
import { wid, type Wid } from "./ids";

/** What a group tells those who have its code. */
export async function inviteInfo(code: string): Promise<Record<string, unknown>> {
  const { gid, info } = await change({ action: "info", code });
  return {
    id: gid, owner: wid(info.owner), subject: info.subject, subjectTime: info.created, subjectOwner: wid(info.owner), creation: info.created, desc: info.description ?? "", size: info.participants.length,
    participants: info.participants.map((p: any) => ({ id: wid(p.wid), isAdmin: p.admin, isSuperAdmin: !!p.superadmin })),
    announce: !!info.announce, restrict: !!info.restrict, membershipApprovalMode: !!info.approval, memberAddMode: info.admin_add ? "admin_add" : "all_member_add", ephemeralDuration: info.ephemeral ?? 0,
    noFrequentlyForwarded: false, isParentGroup: false, defaultSubgroup: false, support: false, suspended: false,
  };
}

async function requests(group: Wid): Promise<{ id: Wid; t: number; addedBy: Wid; requestMethod: string; parentGroupId: null }[]> {
  const { requests } = await comms.request("group", { action: "requests", group: String(group) });
  return (requests ?? []).map((r: GroupRequest) => ({ id: wid(r.wid), t: r.t, addedBy: wid(r.wid), requestMethod: "InviteLink", parentGroupId: null }));
}

/** Brings the list of those who wait up to date, for admins of a group that has one. */
export async function updateRequests(group: Wid): Promise<void> {
  const metadata = R("WAWebGroupMetadataCollection").default.get(group);
  if (!metadata?.membershipApprovalMode || !metadata.participants.iAmAdmin()) return;
  const list = await requests(metadata.id);
  metadata.membershipApprovalRequests.reset();
  metadata.membershipApprovalRequests.add(list, { silent: true });
}

async function decide(group: Wid, wids: Wid[], action: string): Promise<{ wid: Wid; error: string | null }[]> {
  const { participants } = await change({ action: action.toLowerCase(), group: String(group), participants: wids.map(String) });
  return participants.map((p: any) => ({ wid: p.userWid, error: p.code === "200" ? null : p.code }));
}

/** The same in the shape of the reply's parser. */
async function decideByRPC({ iqTo, approveArgs, rejectArgs }: any): Promise<any> {
  const { participantArgs } = approveArgs ?? rejectArgs;
  const results = await decide(wid(iqTo), participantArgs.map((p: any) => wid(p.participantJid)), approveArgs ? "Approve" : "Reject");
  const mixins = approveArgs ? "membershipRequestsActionAcceptParticipantMixins" : "membershipRequestsActionRejectParticipantMixins";
  const participant = results.map((r) => ({ jid: r.wid.toJid(), ...(r.error && { [mixins]: { name: "ParticipantError", value: { error: r.error } } }) }));
  return { name: "MembershipRequestsActionResponseSuccess", value: { [approveArgs ? "membershipRequestsActionApprove" : "membershipRequestsActionReject"]: { participant } } };
}

/** The groups in which somebody and oneself are; kept with the contact. */
function commonGroups(contact: any): Collection {
  const people = [contact.id, R("WAWebApiContact").getAlternateUserWid(contact.id)].filter(Boolean);
  const groups = R("WAWebGroupMetadataCollection").default.filter((g: any) => g.participants.iAmMember() && people.some((w) => g.participants.get(w)));
  const common = new GroupMetadataCollectionImpl();
  for (const group of groups) {
    common._models.push(group); // a group's collection stays the one of all groups
    common._index.set(String(group.id), group);
  }
  contact.set("commonGroups", common);
  return common;
}

export function defineGroupSettings(): void {
  define("WAWebSetPropertyGroupAction", () => ({
    setGroupProperty: (chat: any, property: string, value: unknown) => R("WAWebGroupModifyInfoJob").setGroupProperty(chat.id, property, value),
  }));
  define("WAWebGroupConstants", () => ({
    GROUP_SETTING_TYPE: {
      ANNOUNCEMENT: "announcement", RESTRICT: "restrict", NO_FREQUENTLY_FORWARDED: "no_frequently_forwarded", EPHEMERAL: "ephemeral", MEMBERSHIP_APPROVAL_MODE: "membership_approval_mode",
      REPORT_TO_ADMIN_MODE: "report_to_admin_mode", ALLOW_NON_ADMIN_SUB_GROUP_CREATION: "allow_non_admin_sub_group_creation", MEMBER_ADD_MODE: "member_add_mode", MEMBER_LINK_MODE: "member_link_mode",
    },
  }));
  define("WAWebGroupQueryBridge", () => ({ sendQueryGroupInvite: async (code: string) => ({ status: 200, groupInfo: await inviteInfo(code) }) }));
  define("WAWebApiMembershipApprovalRequestStore", () => ({ getMembershipApprovalRequests: (group: Wid) => requests(group) }));
  define("WAWebGroupMembershipRequestsActionJob", () => ({
    MembershipApprovalRequestAction: { Approve: "Approve", Reject: "Reject" },
    membershipApprovalRequestAction: (group: Wid, wids: Wid[], action: string) => decide(group, wids, action),
  }));
  define("WASmaxGroupsMembershipRequestsActionRPC", () => ({ sendMembershipRequestsActionRPC: (request: any, _options: unknown) => decideByRPC(request) }));
  define("WAWebFindCommonGroupsContactAction", () => ({ findCommonGroups: async (contact: any) => commonGroups(contact) }));
}
