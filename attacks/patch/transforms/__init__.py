"""What happens to a patch between the printer and the network, drawn anew for each sample and step."""
