"""What ``check_dane`` understands and says, for whoever answers: the plugin, or who asks for it."""
