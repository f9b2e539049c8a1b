package main

// The dashboards' content. Rows are filled from the left; a panel that does
// not fit begins a new line. $sel, $oneFeed and $oneChannel are what the variables select.

const sel = `job=~"$job", instance=~"$instance"`

// ages: thresholds are those of the alerts.
func red(at float64) []step { return []step{{"green", nil}, {"red", &at}} }
func redBelow(orange, green float64) []step {
	return []step{{"red", nil}, {"orange", &orange}, {"green", &green}}
}
func orange(at float64) []step { return []step{{"green", nil}, {"orange", &at}} }

var all = []dashboard{overview, feeds, channels}

var overview = dashboard{
	File: "overview", UID: "newsmonitor-overview", Title: "newsmonitor / Overview",
	About: "Does it work? The first row answers; the rest says why not.",
	Rows: []row{
		{Title: "Does it work?", Panels: []panel{
			{Title: "Canary age", Kind: "stat", Unit: "s", W: 5, H: 4, Steps: red(300), About: "Since a self-test last became an alert; one is sent each minute. Beyond 5 minutes MonitorCanaryLate wakes somebody.",
				Q: []query{{`time() - max by (job) (monitor_canary_last_success_timestamp_seconds{$sel})`, ""}}},
			{Title: "Fresh feeds", Leads: "feed", Kind: "stat", Unit: "percentunit", W: 5, H: 4, Steps: redBelow(0.8, 0.95), About: "Feeds read within three of their intervals; 95 % are promised.",
				Q: []query{{`avg by (job) ((time() - max by (job, feed) (monitor_feed_last_success_timestamp_seconds{$sel})) / clamp_min(max by (job, feed) (monitor_feed_interval_seconds{$sel}), 60) < bool 3) or sum by (job) (monitor_feeds{$sel, state=~"ok|silent"}) / sum by (job) (monitor_feeds{$sel, state=~"ok|silent|failing|gone"})`, ""}}},
			{Title: "Last alert", Kind: "stat", Unit: "s", W: 5, H: 4, About: "Since the last alert of any channel. Quiet is normal: look at the canary before you worry.",
				Q: []query{{`time() - max by (job) (monitor_channel_last_alert_timestamp_seconds{$sel})`, ""}}},
			{Title: "Undelivered", Kind: "stat", Unit: "short", W: 4, H: 4, Steps: orange(1), About: "Alerts that destinations should have and have not acknowledged, and items that wait to be matched.",
				Q: []query{{`(sum by (job) (monitor_notify_waiting_alerts{$sel}) or sum by (job) (0 * monitor_nats_connected{$sel})) + sum by (job) (monitor_reader_lag_messages{$sel})`, ""}}},
			{Title: "Bad config", Kind: "stat", Unit: "short", W: 5, H: 4, Steps: orange(1), About: "Files that are refused and run in their last good version, and replicas that run with other files than most.",
				Q: []query{{`max by (job) (sum by (job, instance) (monitor_config_refused_files{$sel})) + max by (job) (monitor_config_mismatch{$sel})`, ""}}},
			{Title: "Alerts of operations", Kind: "table", Unit: "short", W: 24, H: 5, Empty: "none fires", About: "What fires now. Each has a section in the runbook.",
				Q: []query{{`max by (alertname, severity, instance, feed, channel, destination, reader, stream, kind) (ALERTS{job=~"$job", alertstate="firing", alertname=~"Monitor.+"})`, ""}}},
		}},
		{Title: "Alerts", Panels: []panel{
			{Title: "Alerts an hour, by severity", Kind: "bars", Unit: "short", W: 12, H: 8, About: "Raised and updated alerts that the stream has acknowledged.",
				Q: []query{{`sum by (severity) (increase(monitor_alerts_total{$sel}[1h]))`, "{{severity}}"}}},
			{Title: "Time to alert", Kind: "lines", Unit: "s", W: 12, H: 8, Steps: red(5), About: "From a document's last byte to the stored alert, by the self-tests. 99 % within 5 s are promised.",
				Q: []query{{`histogram_quantile(0.5, sum by (le) (rate(monitor_alert_pipeline_duration_seconds_bucket{$sel, canary="true"}[$__rate_interval])))`, "half"},
					{`histogram_quantile(0.99, sum by (le) (rate(monitor_alert_pipeline_duration_seconds_bucket{$sel, canary="true"}[$__rate_interval])))`, "99 %"}}},
			{Title: "Folded an hour, by reason", Kind: "bars", Unit: "short", W: 6, H: 7, About: "Stored and not pushed: repeats of a story, muted, from first polls or floods.",
				Q: []query{{`sum by (reason) (increase(monitor_alerts_folded_total{$sel}[1h]))`, "{{reason}}"}}},
			{Title: "Deliveries an hour", Kind: "lines", Unit: "short", W: 6, H: 7, Empty: "no destinations", About: "Messages that each destination has acknowledged.",
				Q: []query{{`sum by (destination) (increase(monitor_notifications_total{$sel}[1h]))`, "{{destination}}"}}},
			{Title: "Oldest undelivered", Kind: "lines", Unit: "s", W: 6, H: 7, Steps: red(600), Empty: "nothing waits", About: "Age of the oldest alert that a destination has not acknowledged. Of a critical one, ten minutes wake somebody.",
				Q: []query{{`time() - min by (destination) (monitor_notify_oldest_timestamp_seconds{$sel})`, "{{destination}}"}}},
			{Title: "Failed deliveries", Kind: "lines", Unit: "reqps", W: 6, H: 7, Empty: "no destinations", About: "Attempts that failed, by destination and reason. They are tried again.",
				Q: []query{{`sum by (destination, reason) (rate(monitor_notifications_failed_total{$sel}[$__rate_interval])) > 0`, "{{destination}} {{reason}}"}}},
		}},
		{Title: "Polling", Panels: []panel{
			{Title: "Feeds by state", Kind: "lines", Unit: "short", W: 8, H: 7, About: "Each feed of the catalogue counts once.",
				Q: []query{{`sum by (state) (monitor_feeds{$sel})`, "{{state}}"}}},
			{Title: "Failed polls, by reason", Kind: "lines", Unit: "reqps", W: 8, H: 7, Empty: "no failures", About: "Reasons are explained on the sources page.",
				Q: []query{{`sum by (reason) (rate(monitor_fetch_errors_total{$sel}[$__rate_interval])) > 0`, "{{reason}}"}}},
			{Title: "Items, by what became of them", Kind: "lines", Unit: "cps", W: 8, H: 7, About: "Items of documents that had changed.",
				Q: []query{{`sum by (outcome) (rate(monitor_items_total{$sel}[$__rate_interval]))`, "{{outcome}}"}}},
			{Title: "Time of an exchange", Kind: "lines", Unit: "s", W: 8, H: 7, About: "Redirects and body included.",
				Q: []query{{`histogram_quantile(0.5, sum by (le) (rate(monitor_fetch_duration_seconds_bucket{$sel}[$__rate_interval])))`, "half"},
					{`histogram_quantile(0.99, sum by (le) (rate(monitor_fetch_duration_seconds_bucket{$sel}[$__rate_interval])))`, "99 %"}}},
			{Title: "Later than due", Kind: "lines", Unit: "s", W: 8, H: 7, Steps: orange(60), About: "How late polls begin: the sign of too many feeds on one host or too small a machine.",
				Q: []query{{`histogram_quantile(0.99, sum by (le) (rate(monitor_schedule_delay_seconds_bucket{$sel}[$__rate_interval])))`, "99 %"}}},
			{Title: "Polls under way", Kind: "lines", Unit: "short", W: 8, H: 7, About: "And how many may be.",
				Q: []query{{`sum(monitor_fetches_in_flight{$sel})`, "under way"}, {`sum(monitor_fetch_concurrency_limit{$sel})`, "may be"}}},
		}},
		{Title: "Store and process", Collapsed: true, Panels: []panel{
			{Title: "Writes", Kind: "lines", Unit: "wps", W: 8, H: 7, About: "Messages offered to the streams; refused ones were stored before.",
				Q: []query{{`sum by (result) (rate(monitor_publishes_total{$sel}[$__rate_interval]))`, "{{result}}"}}},
			{Title: "Failed writes, by reason", Kind: "lines", Unit: "wps", W: 8, H: 7, Empty: "no failures", About: "They are tried again until they succeed.",
				Q: []query{{`sum by (reason) (rate(monitor_publish_errors_total{$sel}[$__rate_interval])) > 0`, "{{reason}}"}, {`rate(monitor_state_write_errors_total{$sel}[$__rate_interval]) > 0`, "states"}}},
			{Title: "Time to acknowledge", Kind: "lines", Unit: "s", W: 8, H: 7, About: "The disk's or the cluster's time, mostly.",
				Q: []query{{`histogram_quantile(0.99, sum by (le) (rate(monitor_publish_duration_seconds_bucket{$sel}[$__rate_interval])))`, "99 %"}}},
			{Title: "Fill of the streams", Kind: "lines", Unit: "percentunit", W: 8, H: 7, Steps: orange(0.8), About: "At 100 % the oldest go before their time.",
				Q: []query{{`max by (stream) (monitor_jetstream_stream_size_bytes{$sel}) / max by (stream) (monitor_jetstream_stream_limit_bytes{$sel} > 0)`, "{{stream}}"}}},
			{Title: "Readers behind", Kind: "lines", Unit: "s", W: 8, H: 7, Steps: orange(120), Empty: "nothing waits", About: "Age of the oldest item that a reader has not done.",
				Q: []query{{`time() - max by (reader) (monitor_reader_oldest_timestamp_seconds{$sel})`, "{{reader}}"}}},
			{Title: "Replicas", Kind: "lines", Unit: "short", W: 8, H: 7, About: "Parts of the catalogue that each process polls; 64 together.",
				Q: []query{{`monitor_shards_held{$sel}`, "{{instance}}"}}},
			{Title: "Memory", Kind: "lines", Unit: "bytes", W: 8, H: 7, About: "Of the process, and of that the heap in use.",
				Q: []query{{`process_resident_memory_bytes{$sel}`, "{{instance}} resident"}, {`go_memstats_heap_inuse_bytes{$sel}`, "{{instance}} heap"}, {`max by (job) (monitor_state_size_bytes{$sel})`, "states, on the disk"}}},
			{Title: "CPU", Kind: "lines", Unit: "percentunit", W: 8, H: 7, About: "1 is one core.",
				Q: []query{{`rate(process_cpu_seconds_total{$sel}[$__rate_interval])`, "{{instance}}"}}},
			{Title: "Requests", Kind: "lines", Unit: "reqps", W: 8, H: 7, About: "HTTP requests answered, by handler.",
				Q: []query{{`sum by (handler) (rate(monitor_http_requests_total{$sel}[$__rate_interval])) > 0`, "{{handler}}"}, {`sum(monitor_sse_clients{$sel})`, "live streams"}}},
			{Title: "Panics and damage", Kind: "stat", Unit: "short", W: 8, H: 4, Steps: red(1), About: "Messages on which the code panicked, and streams that lost messages.",
				Q: []query{{`sum(monitor_panics_total{$sel}) + sum(monitor_stream_damaged{$sel})`, ""}}},
			{Title: "Versions", Kind: "table", Unit: "short", W: 16, H: 4, About: "What runs where.",
				Q: []query{{`max by (instance, version, goversion) (monitor_build_info{$sel})`, ""}}},
		}},
	},
}

const oneFeed = sel + `, feed=~"$feed"`

var feeds = dashboard{
	File: "feeds", UID: "newsmonitor-feeds", Title: "newsmonitor / Feeds",
	About: "Each feed: when it was last read, when it last had news, how often it fails.",
	Vars:  []variable{{"feed", "Feed", `label_values(monitor_feed_info{job=~"$job"}, feed)`}},
	Rows: []row{
		{Title: "All that are chosen", Panels: []panel{
			{Title: "Stalest first", Leads: "feed", Kind: "table", Unit: "short", W: 24, H: 10, About: "Age of the last good answer in intervals of the feed. From 3 on a feed is not fresh, from 6 on it gets a ticket.",
				Q: []query{{`sort_desc((time() - max by (feed) (monitor_feed_last_success_timestamp_seconds{$oneFeed})) / clamp_min(max by (feed) (monitor_feed_interval_seconds{$oneFeed}), 60))`, ""}}},
			{Title: "Failures in a row", Leads: "feed", Kind: "lines", Unit: "short", W: 12, H: 8, Empty: "no failures", About: "Only feeds that fail.",
				Q: []query{{`max by (feed) (monitor_feed_consecutive_failures{$oneFeed}) > 0`, "{{feed}}"}}},
			{Title: "Quiet for", Leads: "feed", Kind: "lines", Unit: "s", W: 12, H: 8, About: "Since the last new item.",
				Q: []query{{`time() - max by (feed) (monitor_feed_last_new_item_timestamp_seconds{$oneFeed} > 0)`, "{{feed}}"}}},
		}},
		{Title: "Drill down", Panels: []panel{
			{Title: "Polls, by result", Kind: "lines", Unit: "reqps", W: 12, H: 8, About: "A good reader's polls are mostly not_modified.",
				Q: []query{{`sum by (result) (rate(monitor_feed_fetches_total{$oneFeed}[$__rate_interval]))`, "{{result}}"}}},
			{Title: "Usual gap, and silent after", Kind: "lines", Unit: "s", W: 12, H: 8, About: "Median time between pieces of news, and from when on the feed counts as silent; 0 while not known.",
				Q: []query{{`max by (feed) (monitor_feed_usual_gap_seconds{$oneFeed})`, "{{feed}} gap"}, {`max by (feed) (monitor_feed_silent_after_seconds{$oneFeed})`, "{{feed}} silent after"}}},
			{Title: "What it is", Leads: "feed", Kind: "table", Unit: "short", W: 24, H: 8, About: "From the catalogue.",
				Q: []query{{`max by (feed, kind, tier, country, language) (monitor_feed_info{$oneFeed})`, ""}}},
		}},
		{Title: "All feeds together", Collapsed: true, Panels: []panel{
			{Title: "Documents mended, by damage", Kind: "lines", Unit: "cps", W: 12, H: 8, Empty: "nothing was damaged", About: "Documents that had to be repaired before they could be read.",
				Q: []query{{`sum by (kind) (rate(monitor_items_repaired_total{$sel}[$__rate_interval])) > 0`, "{{kind}}"}}},
			{Title: "Size of answers", Kind: "lines", Unit: "bytes", W: 12, H: 8, About: "Bodies as sent.",
				Q: []query{{`histogram_quantile(0.9, sum by (le) (rate(monitor_fetch_response_size_bytes_bucket{$sel}[$__rate_interval])))`, "90 %"}}},
		}},
	},
}

const oneChannel = sel + `, channel=~"$channel"`

var channels = dashboard{
	File: "channels", UID: "newsmonitor-channels", Title: "newsmonitor / Channels",
	About: "For the desk's lead: what was alerted, how loudly, by which rules, and what has fallen silent.",
	Vars:  []variable{{"channel", "Channel", `label_values(monitor_alerts_total{job=~"$job"}, channel)`}},
	Rows: []row{
		{Title: "Alerts", Panels: []panel{
			{Title: "In the time shown", Kind: "stat", Unit: "short", W: 6, H: 5, About: "Alerts of the chosen channels.",
				Q: []query{{`sum(increase(monitor_alerts_total{$oneChannel}[$__range]))`, ""}}},
			{Title: "Critical", Kind: "stat", Unit: "short", W: 6, H: 5, About: "Of them, those that should interrupt somebody.",
				Q: []query{{`sum(increase(monitor_alerts_total{$oneChannel, severity="critical"}[$__range]))`, ""}}},
			{Title: "Folded", Kind: "stat", Unit: "short", W: 6, H: 5, About: "Of all channels: stored and not pushed.",
				Q: []query{{`sum(increase(monitor_alerts_folded_total{$sel}[$__range]))`, ""}}},
			{Title: "Publisher to us", Kind: "stat", Unit: "s", W: 6, H: 5, About: "Half of the alerted items were fetched within this time of the date that they bear. It depends on the publisher and the interval.",
				Q: []query{{`histogram_quantile(0.5, sum by (le) (rate(monitor_item_discovery_delay_seconds_bucket{$sel}[$__range])))`, ""}}},
			{Title: "A day, by channel", Leads: "channel", Kind: "bars", Unit: "short", W: 12, H: 9, About: "Alerts of the last 24 hours at each point.",
				Q: []query{{`sum by (channel) (increase(monitor_alerts_total{$oneChannel}[1d]))`, "{{channel}}"}}},
			{Title: "A day, by severity", Kind: "bars", Unit: "short", W: 12, H: 9, About: "Alerts of the last 24 hours at each point.",
				Q: []query{{`sum by (severity) (increase(monitor_alerts_total{$oneChannel}[1d]))`, "{{severity}}"}}},
		}},
		{Title: "Silence", Panels: []panel{
			{Title: "Quiet for", Leads: "channel", Kind: "table", Unit: "s", W: 12, H: 9, About: "Since the channel's last alert.",
				Q: []query{{`sort_desc(time() - max by (channel) (monitor_channel_last_alert_timestamp_seconds{$oneChannel}))`, ""}}},
			{Title: "In usual gaps", Leads: "channel", Kind: "table", Unit: "short", W: 12, H: 9, Steps: orange(5), Empty: "no channel's usual gap is known before a week", About: "The same in the channel's own measure; from 5 on it gets a ticket.",
				Q: []query{{`sort_desc((time() - max by (channel) (monitor_channel_last_alert_timestamp_seconds{$oneChannel})) / max by (channel) (monitor_channel_usual_gap_seconds{$oneChannel}))`, ""}}},
		}},
		{Title: "Rules", Panels: []panel{
			{Title: "Loudest rules, a day", Kind: "table", Unit: "short", W: 12, H: 10, About: "Items that a rule matched in the last 24 hours. A rule that is loud every day says little.",
				Q: []query{{`topk(20, sum by (rule) (increase(monitor_rule_matches_total{$sel}[1d])))`, ""}}},
			{Title: "Time to match an item", Kind: "lines", Unit: "s", W: 12, H: 10, About: "Against all rules.",
				Q: []query{{`histogram_quantile(0.99, sum by (le) (rate(monitor_match_duration_seconds_bucket{$sel}[$__rate_interval])))`, "99 %"}}},
		}},
	},
}
