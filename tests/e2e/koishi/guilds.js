// A Koishi bot in go-cqhttp's guilds: what it says comes from the adapter's guild bot.
'use strict'

const { Context, Logger, h } = require('koishi')
const { OneBotBot } = require('koishi-plugin-adapter-onebot')
const Http = require('@koishijs/plugin-http').default

const { ENDPOINT, SELF_ID } = process.env

Logger.levels.base = 3
const app = new Context()

app.plugin(Http)
app.plugin(OneBotBot, { selfId: SELF_ID, protocol: 'ws', endpoint: ENDPOINT })

app.middleware(async (session, next) => {
  const { bot, guildId, channelId, userId } = session
  if (session.stripped.content.trim() !== '/where') return next()
  const guild = await bot.getGuild(guildId)
  const channel = await bot.getChannel(channelId, guildId)
  const member = await bot.getGuildMember(guildId, userId)
  const { data } = await bot.getGuildMemberList(guildId)
  return [h.at(userId), ` ${bot.platform} ${bot.selfId} ${guild.name} ${channel.name} ${member.name} ${data.length}`]
})

app.start()
