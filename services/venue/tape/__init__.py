"""A recorded market, played at the venue: its format, its player, and how recordings become one."""
